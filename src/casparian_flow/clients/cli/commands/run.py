"""`casparian run`: a directory becomes tables."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.options import options_of, sinks_by_topic
from casparian_flow.clients.cli.progress import progress
from casparian_flow.clients.cli.render import Column, Kind, plain, table_lines
from casparian_flow.clients.cli.shown_sql import first_rows, rescued_rows
from casparian_flow.clients.cli.watching import show_watch, watch_options, watched_seconds

if TYPE_CHECKING:
    from casparian_flow.operations.plan import MakePlan
    from casparian_flow.operations.run_reply import FailedFile, RunReply

TABLES = (
    Column("table"),
    Column("contract"),
    Column("files", Kind.COUNT),
    Column("accepted", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
)
FAILURES = (Column("path"), Column("code"), Column("message"))
SINK_AWAY = "sink-unavailable"
MOST_REASONS = 3
"""Why a target took nothing is said in so many ways: it is the same for all files, and a person can change it."""
MOST_NOTES = 5
"""Notes on the columns of new tables; `contract show` has all of them."""
EXIT_CODES = {"completed": 0, "quarantined": 3, "failed_files": 3, "approval": 4, "aborted": 8}


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which `run` and `plan` select files and say how they are read."""
    for option in reversed(
        (
            click.argument("paths", nargs=-1, metavar="[DIR|FILE]..."),
            click.option("--parser", metavar="P", help="Read with this parser: its name, or a .py file or folder."),
            click.option(
                "--option", "options", multiple=True, metavar="K=V", help="An option of the parser, such as delimiter=;"
            ),
            click.option("--table", metavar="T", help="The table of the files, instead of one named after each file."),
            click.option("--tag", metavar="T", help="Only files with this tag."),
            click.option("--since", metavar="T", help="Only files modified since 24h, 7d, 2026-03-02, …"),
            click.option(
                "--sink",
                "sinks",
                multiple=True,
                metavar="URI",
                help="Where tables land: parquet://, csv://, duckdb:// or sqlite:// and a path, or a name. Repeatable.",
            ),
            click.option(
                "--topic",
                "topics",
                multiple=True,
                metavar="T=URI",
                help="Where the tables of topic T land instead; T again for a second sink.",
            ),
            click.option(
                "--mode",
                type=click.Choice(("append", "replace", "error")),
                default="append",
                help="What happens to rows that are there: kept beside (append), replaced, or an error.",
            ),
            click.option("--force", is_flag=True, help="Read files again that are up to date or were given up."),
        )
    ):
        function = option(function)
    return function


def selection_of(given: dict[str, Any]) -> MakePlan:
    """The request that the selection options stand for; takes them out of `given`."""
    from casparian_flow.core.outputs import SinkMode
    from casparian_flow.operations.plan import MakePlan

    options = options_of(given.pop("options"))
    topics = sinks_by_topic(given.pop("topics"))
    names = ("paths", "parser", "table", "tag", "since", "sinks", "force")
    kept = {name: given.pop(name) for name in names}
    return MakePlan(**kept, options=options, topics=topics, mode=SinkMode(given.pop("mode")))


@click.command("run")
@selection_options
@click.option("--plan", metavar="ID", help="Do exactly what this saved plan says, or refuse.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Parser processes at once.")
@click.option(
    "--job-timeout",
    "job_seconds",
    type=click.FloatRange(min=0.01),
    metavar="S",
    help="Stop a job after S seconds (3600).",
)
@click.option(
    "--tolerance", type=click.FloatRange(0, 1), metavar="R", help="Hold a file when more of its rows are rejected."
)
@click.option("--first-contract", type=click.Choice(("adopt", "hold")), help="What happens with a table seen first.")
@watch_options
@click.option("--accept", type=click.Choice(("quarantine",)), help="End with 0 although rows were quarantined.")
@pass_face
def command(face: Face, /, **given: Any) -> int:
    """Turn files into tables you can trust; without a path, every known source."""
    accept = given.pop("accept")
    seconds = watched_seconds(given)
    if seconds is not None:
        from casparian_flow.operations.run import RunFiles

        asked = RunFiles(selection=selection_of(given), **given)
        return show_watch(face, lambda reply: _lines(face, reply), {"run": asked, **seconds})
    with progress(face) as report:
        from casparian_flow.operations.run import RunFiles

        selection = selection_of(given)
        reply = face.ask("run", RunFiles(selection=selection, **given), report)
    for warning in reply.warnings:
        face.note(f"note: {plain(warning)}")
    face.show("casparian.run/1", reply, _lines(face, reply))
    if reply.outcome == "quarantined" and accept == "quarantine":
        return 0
    return EXIT_CODES[reply.outcome]


def _cut(face: Face, items: Sequence[Any], columns: Sequence[Column], rest: str) -> Iterator[str]:
    """A table of as many items as a summary shows, and where the others are."""
    from msgspec import to_builtins

    shown = items[: face.summary_limit]
    yield from table_lines(map(to_builtins, shown), columns, face.paper)
    if len(shown) < len(items):
        yield f"and {len(items) - len(shown):,} more {rest}"


def _lines(face: Face, reply: RunReply) -> Iterator[str]:
    skipped = ", ".join(f"{count} {reason}" for reason, count in reply.skipped.items())
    yield f"files     {reply.files}: {reply.run} run" + (f", {skipped}" if skipped else "")
    if reply.run:
        yield f"jobs      {reply.completed} completed, {reply.failed} failed, {reply.aborted} aborted"
        yield f"rows      {reply.accepted} accepted, {reply.quarantined} quarantined, {reply.rescued} values rescued"
    if reply.tables:
        yield ""
        yield from _cut(face, reply.tables, TABLES, "tables: casparian tables")
        for sink in sorted({sink for each in reply.tables for sink in each.sinks}):
            yield f"in        {plain(sink)}"
    for note in reply.notes[:MOST_NOTES]:
        yield f"note      {plain(note.table)}.{plain(note.column)} {plain(note.note)}"
    if len(reply.notes) > MOST_NOTES:
        yield f"and {len(reply.notes) - MOST_NOTES:,} more notes: casparian contract show {plain(reply.notes[0].table)}"
    for each in reply.tables[: face.summary_limit]:
        if each.rescued:
            yield f"rescued   {each.rescued:,} values of {plain(each.table)}: {plain(rescued_rows(each.table))}"
    if reply.failures:
        yield ""
        yield from _cut(face, reply.failures, FAILURES, f"files: {that_shows(reply.failures)}")
        for why in sorted({each.why for each in reply.failures if each.code == SINK_AWAY and each.why})[:MOST_REASONS]:
            yield f"because   {plain(why)}"
    for path in reply.unreadable:
        yield f"could not be read: {plain(path)}"
    for waiting in reply.waiting:
        yield f"table {plain(waiting.table)} waits for: casparian contract approve {waiting.contract}"
    if reply.open_quarantine or reply.gave_up:
        yield f"open      {reply.open_quarantine} rows in quarantine, {reply.gave_up} files given up"
    yield ""
    yield f"next      {_next(reply)}"


def that_shows(failures: Sequence[FailedFile]) -> str:
    """The command that lists what did not land: a file whose only job was cancelled is skipped, and has not failed."""
    is_cancelled = all(each.state == "aborted" for each in failures)
    return "casparian jobs --state aborted" if is_cancelled else "casparian files --state failed"


def _next(reply: RunReply) -> str:
    if reply.waiting:
        return f"casparian contract show {reply.waiting[0].contract}"
    if "awaiting_approval" in reply.skipped:
        return "casparian contract list --state proposed"
    if reply.failures:
        return that_shows(reply.failures)
    if reply.held is not None and not reply.quarantined:
        return f"casparian why {plain(shlex.quote(reply.held))}"
    if reply.open_quarantine:
        return "casparian quarantine"
    if rescued := [each.table for each in reply.tables if each.rescued]:
        return rescued_rows(rescued[0])
    if reply.tables:
        return first_rows(reply.tables[0].table)
    return "casparian tables"
