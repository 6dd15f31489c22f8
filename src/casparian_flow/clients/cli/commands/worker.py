"""`casparian worker`: who turns files into rows, here and on other machines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, readable
from casparian_flow.core.errors import UsageError

if TYPE_CHECKING:
    from casparian_flow.operations.service.workers import WorkerChanged, WorkerDetail

FOLDER = "~/.casparian_flow/worker"
"""Where a worker keeps the key that it is known by, and rows that wait."""

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


class _Workers(Noun):
    """With `--join` and no verb it works; without either it lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if any(word.partition("=")[0] == "--join" for word in args) and not self._names_a_verb(args):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("worker", cls=_Workers)
@shared_options
def command() -> None:
    """Who turns files into rows, here and on other machines. `worker --join ADDRESS` is one."""


@command.command("run")
@click.option(
    "--join",
    required=True,
    metavar="ADDRESS",
    help="An invitation (cf-join:…), the path of a home on this machine, or ipc:// and the path of its socket.",
)
@click.option("--slots", type=click.IntRange(1, 1024), default=1, show_default=True, help="Files read at once.")
@click.option("--labels", metavar="K=V,…", default="", help="What is to be known of this worker.")
@click.option("--parsers", metavar="NAME,…", default="", help="The only parsers it runs; without, every one.")
@click.option("--name", metavar="NAME", help="What it is called; without, as this machine.")
@click.option("--keys", metavar="DIR", type=click.Path(path_type=Path), help=f"Instead of {FOLDER}.")
@click.option("--with-parent", type=int, hidden=True, help="End when that process, which started this one, does.")
@pass_face
def run(
    face: Face,
    join: str,
    slots: int,
    labels: str,
    parsers: str,
    name: str | None,
    keys: Path | None,
    with_parent: int | None,
) -> None:
    """Turn files into rows for a sentinel, until SIGTERM: then what is being read is finished, the rest given back.

    A second SIGTERM, or Ctrl-C, stops at once. While the sentinel cannot be reached the worker waits for it.
    """
    from casparian_flow.clients.cli.working import Told, heeding_signals
    from casparian_flow.wiring import open_worker

    opened = open_worker(
        join,
        name=name,
        slots=slots,
        labels=_labels(labels),
        parsers=_words(parsers),
        folder=(keys or Path(FOLDER)).expanduser(),
        notify=Told(face.note),
        with_parent=with_parent,
    )
    with opened as station, heeding_signals(station):
        station.run()


@command.command("list")
@click.option("--gone", is_flag=True, help="Also those that went.")
@pass_face
def list_(face: Face, gone: bool) -> None:
    """The workers that are there, and what each is busy with."""
    from casparian_flow.operations.service.workers import ListWorkers, WorkerEntry

    reply = face.ask("worker.list", ListWorkers(gone=gone))
    face.show_list("casparian.workers/1", "workers", reply.workers, COLUMNS, WorkerEntry)


@command.command("show")
@click.argument("worker")
@pass_face
def show(face: Face, worker: str) -> None:
    """One worker: what it can do, and the jobs that it holds."""
    from casparian_flow.operations.service.workers import ShowWorker

    reply = face.ask("worker.show", ShowWorker(worker=worker))
    face.show("casparian.worker/1", reply, _lines(reply))


@command.command("drain")
@click.argument("worker")
@pass_face
def drain(face: Face, worker: str) -> None:
    """Let a worker finish what it holds, and give it nothing more."""
    from casparian_flow.operations.service.workers import DrainWorker

    reply = face.ask("worker.drain", DrainWorker(worker=worker))
    said = "finishes what it holds" if reply.worker.jobs else "holds nothing"
    face.show("casparian.worker.changed/1", reply, [f"{_standing(reply)}; it {said}"])


@command.command("remove")
@click.argument("worker")
@pass_face
def remove(face: Face, worker: str) -> None:
    """Send a worker away: what it holds is given to others, and its keys open nothing any more."""
    from casparian_flow.operations.service.workers import RemoveWorker, ShowWorker

    entry = face.ask("worker.show", ShowWorker(worker=worker)).worker
    face.confirm(
        f"{plain(entry.name)} on {plain(entry.host)} loses {entry.jobs:,} jobs to others and cannot come back",
        plain(entry.name),
    )
    reply = face.ask("worker.remove", RemoveWorker(worker=entry.name))
    face.show("casparian.worker.changed/1", reply, [f"{_standing(reply)}; {reply.keys:,} keys were revoked"])


@command.command("invite")
@click.option("--name", metavar="NAME", help="What the worker will be called; without, it gets a name.")
@click.option("--address", metavar="HOST:PORT", help="Where it reaches the sentinel; without, where that listens now.")
@click.option("--valid", default="1h", metavar="SPAN", show_default=True, help="For how long: 15m, 1h, 7d.")
@pass_face
def invite(face: Face, name: str | None, address: str | None, valid: str) -> None:
    """Let a worker on another machine join, once. What is printed is a secret until it has been used."""
    from casparian_flow.operations.service.worker_invitation import InviteWorker

    reply = face.ask("worker.invite", InviteWorker(worker=name, address=address, valid=valid))
    lines = [
        f"worker    {plain(reply.worker)}",
        f"connects  {plain(reply.address)}",
        f"until     {readable(reply.expires, Kind.TIME)}, once",
        f"there     casparian worker --join {reply.invitation}",
    ]
    face.show("casparian.worker.invitation/1", reply, lines)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _labels(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in _words(text)]
    if unnamed := [name for name, equals, _ in pairs if not (name and equals)]:
        raise UsageError(f"{unnamed[0]!r} is no label", fix="--labels NAME=VALUE,NAME=VALUE")
    return {name: value for name, _, value in pairs}


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
