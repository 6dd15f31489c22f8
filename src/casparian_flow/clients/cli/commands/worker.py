"""`casparian worker`: who turns files into rows, here and on other machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, readable

if TYPE_CHECKING:
    from casparian_flow.operations.workers import WorkerChanged, WorkerDetail

COLUMNS = (
    Column("name"),
    Column("state"),
    Column("busy", Kind.COUNT),
    Column("slots", Kind.COUNT),
    Column("jobs", Kind.COUNT),
    Column("seen", Kind.TIME),
    Column("host"),
    Column("pid"),
    Column("isolation"),
    Column("key"),
)


@click.group("worker", cls=Noun)
@shared_options
def command() -> None:
    """Who turns files into rows, here and on other machines."""


@command.command("list")
@click.option("--gone", is_flag=True, help="Also those that went.")
@pass_face
def list_(face: Face, gone: bool) -> None:
    """The workers that are there, and what each is busy with."""
    from casparian_flow.operations.workers import ListWorkers, WorkerEntry

    reply = face.ask("worker.list", ListWorkers(gone=gone))
    face.show_list("casparian.workers/1", "workers", reply.workers, COLUMNS, WorkerEntry)


@command.command("show")
@click.argument("worker")
@pass_face
def show(face: Face, worker: str) -> None:
    """One worker: what it can do, and the jobs that it holds."""
    from casparian_flow.operations.workers import ShowWorker

    reply = face.ask("worker.show", ShowWorker(worker=worker))
    face.show("casparian.worker/1", reply, _lines(reply))


@command.command("drain")
@click.argument("worker")
@pass_face
def drain(face: Face, worker: str) -> None:
    """Let a worker finish what it holds, and give it nothing more."""
    from casparian_flow.operations.workers import DrainWorker

    reply = face.ask("worker.drain", DrainWorker(worker=worker))
    said = "finishes what it holds" if reply.worker.jobs else "holds nothing"
    face.show("casparian.worker.changed/1", reply, [f"{_standing(reply)}; it {said}"])


@command.command("remove")
@click.argument("worker")
@pass_face
def remove(face: Face, worker: str) -> None:
    """Send a worker away: what it holds is given to others, and its keys open nothing any more."""
    from casparian_flow.operations.workers import RemoveWorker, ShowWorker

    entry = face.ask("worker.show", ShowWorker(worker=worker)).worker
    face.confirm(
        f"{plain(entry.name)} on {plain(entry.host)} loses {entry.jobs:,} jobs to others and cannot come back",
        plain(entry.name),
    )
    reply = face.ask("worker.remove", RemoveWorker(worker=entry.name))
    face.show("casparian.worker.changed/1", reply, [f"{_standing(reply)}; {reply.keys:,} keys were revoked"])


def _standing(reply: WorkerChanged) -> str:
    return f"{plain(reply.worker.name)} is {reply.worker.state}" + ("" if reply.is_changed else " as before")


def _lines(detail: WorkerDetail) -> Iterator[str]:
    worker = detail.worker
    yield f"worker    {plain(worker.name)}, {worker.state}"
    yield f"place     {plain(worker.host)}, process {worker.pid}, casparian {plain(worker.product)}"
    yield f"heard     {readable(worker.seen, Kind.TIME)}, {worker.seen_seconds:,.0f} s ago"
    yield f"joined    {readable(worker.joined, Kind.TIME)}"
    yield f"slots     {worker.busy:,} of {worker.slots:,} busy, {worker.free:,} free"
    yield f"isolation {plain(worker.isolation)}"
    yield f"key       {plain(worker.key)}"
    if worker.labels:
        yield f"labels    {plain(', '.join(f'{name}={value}' for name, value in sorted(worker.labels.items())))}"
    if worker.environments:
        yield f"has       environments {plain(worker.environments)}"
    yield f"may run   {plain(worker.parsers) or 'every parser'}"
    for job in detail.holds:
        yield f"holds     job {job}"
