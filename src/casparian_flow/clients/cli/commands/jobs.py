"""`casparian jobs`: what ran, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, readable, table_lines
from casparian_flow.core.jobs import JobState

if TYPE_CHECKING:
    from casparian_flow.operations.jobs import JobDetail

COLUMNS = (
    Column("job"),
    Column("state"),
    Column("path"),
    Column("parser"),
    Column("accepted", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("error"),
    Column("message"),
    Column("finished", Kind.TIME),
)
OUTPUTS = (
    Column("table"),
    Column("sink"),
    Column("mode"),
    Column("accepted", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("contract"),
    Column("is_current"),
)
GROUPS = (
    Column("table"),
    Column("code"),
    Column("column"),
    Column("rows", Kind.COUNT),
    Column("message"),
    Column("sample"),
    Column("state"),
)
VERDICTS = (Column("name"), Column("value"), Column("confidence"), Column("runner_up"))
LOG = (Column("attempt"), Column("stream"), Column("text"))


@click.group("jobs", cls=Noun)
@shared_options
def command() -> None:
    """What ran, and how it ended."""


@command.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in JobState]),
    help="In this state; may be repeated.",
)
@click.option("--parser", metavar="P", help="Run by this parser.")
@click.option("--file", metavar="F", help="Of this file.")
@click.option("--since", metavar="T", help="Queued since 24h, 7d, 2026-03-02, …")
@pass_face
def list_(face: Face, **wanted: Any) -> None:
    """Jobs, newest first."""
    from casparian_flow.operations.jobs import JobEntry, ListJobs

    wanted["states"] = tuple(map(JobState, wanted["states"]))
    face.show_pages(
        "casparian.jobs/1",
        "jobs",
        COLUMNS,
        JobEntry,
        lambda limit, after: face.ask("jobs.list", ListJobs(**wanted, limit=limit, after=after)),
    )


@command.command("show")
@click.argument("job")
@pass_face
def show(face: Face, job: str) -> None:
    """One job: JOB is its number, the beginning of it, @last or @-1."""
    from casparian_flow.operations.jobs import ShowJob

    reply = face.ask("jobs.show", ShowJob(job=job))
    face.show("casparian.job/1", reply, _lines(face, reply))


@command.command("logs")
@click.argument("job")
@click.option("-n", "lines", type=click.IntRange(1, 100_000), default=1000, metavar="N", help="The last N lines.")
@pass_face
def logs(face: Face, job: str, lines: int) -> None:
    """What the parser wrote while it read the file."""
    from casparian_flow.operations.jobs import JobLogLine, ReadJobLogs

    reply = face.ask("jobs.logs", ReadJobLogs(job=job, lines=lines))
    face.show_list("casparian.job.logs/1", "lines", reply.lines, LOG, JobLogLine)


def _lines(face: Face, detail: JobDetail) -> Iterator[str]:
    from msgspec import to_builtins

    job = detail.job
    yield f"job       {job.job}, attempt {job.attempt}"
    yield f"state     {job.state}"
    yield f"file      {plain(job.source)}/{plain(job.path)}"
    yield f"parser    {plain(job.parser)}"
    yield f"reason    {plain(job.reason)}"
    yield from (f"sink      {plain(sink)}" for sink in detail.sinks)
    times = (("queued", job.queued), ("started", job.started), ("finished", job.finished))
    yield from (f"{name:<9} {readable(at, Kind.TIME)}" for name, at in times)
    yield f"rows      {job.accepted:,} accepted, {job.quarantined:,} quarantined"
    if job.error:
        yield f"error     {plain(job.error)}: {plain(job.message)}"
    for line in (detail.why or "").splitlines():
        yield f"why       {plain(line)}"
    for items, columns in ((detail.outputs, OUTPUTS), (detail.groups, GROUPS), (detail.verdicts, VERDICTS)):
        if items:
            yield ""
            yield from table_lines(map(to_builtins, items), columns, face.paper)
