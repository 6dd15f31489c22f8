"""`casparian status`: one screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, Kind, counted, readable, size_text, table_lines
from casparian_flow.core.text import safe_text

if TYPE_CHECKING:
    from casparian_flow.operations.home.status import Status

SOURCES = (Column("root"), Column("entries", Kind.COUNT), Column("scanned", Kind.TIME))
TABLES = (
    Column("table"),
    Column("rows", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("files", Kind.COUNT),
    Column("contract"),
    Column("origin"),
    Column("sink"),
)


@click.command("status")
@pass_face
def command(face: Face) -> None:
    """One screen: sources, files, tables, quarantine, what to do next."""
    from casparian_flow.operations.home.status import AskStatus

    reply = face.ask("status", AskStatus())
    face.show("casparian.status/1", reply, _lines(face, reply))


def _lines(face: Face, status: Status) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"home        {safe_text(status.home)}"
    if sentinel := status.sentinel:
        yield f"sentinel    process {sentinel.pid} since {readable(sentinel.started, Kind.TIME)}"
        if sentinel.api:
            yield f"api         {safe_text(sentinel.api)}"
    elif status.holder:
        yield f"at work     {safe_text(status.holder)}"
    if status.killed_sentinel is not None:
        yield f"sentinel    process {status.killed_sentinel} was killed; the next one goes on with its jobs"
    if status.interrupted:
        rights = "start or run puts" if status.killed_sentinel is not None else "run puts"
        yield f"interrupted {status.interrupted:,} jobs; the next {rights} them right"
    if status.replays:
        goes_on = "on their way" if status.holder else "were interrupted; the next run takes them to their end"
        yield f"replays     {status.replays:,} {goes_on}"
    yield f"files       {_counts(status.files)}"
    yield f"jobs        {_counts(status.jobs)}"
    waived = f", and {status.quarantine.waived:,} waived" if status.quarantine.waived else ""
    yield f"quarantine  {status.quarantine.rows:,} rows of {status.quarantine.files:,} files{waived}"
    if status.gave_up:
        yield f"gave up     {status.gave_up:,} files, until they or their parser change"
    if status.dead_letters:
        yield f"dead        {status.dead_letters:,} jobs were given up after their last retry"
    if status.paused_parsers:
        yield f"paused      {status.paused_parsers:,} parsers, after failures"
    if status.workers or status.workers_lost:
        yield f"workers     {status.workers:,} there, {status.workers_lost:,} lost"
    if status.contracts_without_review or status.contracts_proposed:
        waiting = f", {status.contracts_proposed:,} waiting for approval" if status.contracts_proposed else ""
        yield f"contracts   {status.contracts_without_review:,} adopted without review{waiting}"
    if status.approvals or status.drafts:
        yield f"approvals   {status.approvals:,} waiting, {counted(status.drafts, 'draft')}: casparian approval list"
    yield f"disk        {size_text(status.disk)}"
    for items, columns in ((status.sources, SOURCES), (status.tables, TABLES)):
        if items:
            yield ""
            yield from table_lines(map(to_builtins, items), columns, face.paper)
    yield ""
    yield f"next        {safe_text(status.next[0])}"
    for other in status.next[1:]:
        yield f"            {safe_text(other)}"


def _counts(counts: dict[str, int]) -> str:
    shown = [f"{readable(count, Kind.COUNT)} {state}" for state, count in counts.items() if count]
    return ", ".join(shown) or "none"
