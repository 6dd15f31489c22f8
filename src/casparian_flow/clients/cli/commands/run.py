"""`casparian run`: a directory becomes tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.options import options_of, sinks_by_topic
from casparian_flow.clients.cli.progress import progress
from casparian_flow.clients.cli.render import Column, Kind, counted, plain, table_lines
from casparian_flow.clients.cli.replay_lines import rows_text, stopped_lines
from casparian_flow.clients.cli.spare_guest import spare_guest
from casparian_flow.clients.cli.watching import show_watch, watch_options, watched_seconds
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.operations.query.shown_sql import rescued_rows
from casparian_flow.operations.run.next_step import about_draft, that_shows

if TYPE_CHECKING:
    from casparian_flow.operations.run.plan import BroughtBack, MakePlan, MovedRows
    from casparian_flow.operations.run.reply import RunReply

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
MOST_PATHS = 3
"""Files that no parser reads, by name; there may be as many as there are files."""
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
    from casparian_flow.operations.run.plan import MakePlan

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
        from casparian_flow.operations.run.run import RunFiles

        asked = RunFiles(selection=selection_of(given), **given)
        return show_watch(face, lambda reply: _lines(face, reply), {"run": asked, **seconds})
    with progress(face) as report, spare_guest(face):
        from casparian_flow.operations.run.run import RunFiles

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


def moved_lines(moved: Sequence[MovedRows], verb: str) -> Iterator[str]:
    """Rows that go from one table into another; the `verb` says whether they do or did."""
    for each in moved[:MOST_NOTES]:
        rows = f"{counted(each.accepted, 'row')}, {each.quarantined:,} quarantined, of {counted(each.files, 'file')}"
        yield f"moved     {plain(each.table)}: {rows} {verb} it for {plain(each.into)}"
    if len(moved) > MOST_NOTES:
        yield f"and {len(moved) - MOST_NOTES:,} more tables that rows {verb} for another one"


def brought_back_lines(brought_back: Sequence[BroughtBack]) -> Iterator[str]:
    """What `--force` brings back, or has brought back, of what a person took out."""
    for each in brought_back[:MOST_NOTES]:
        paths = ", ".join(map(plain, each.paths[:MOST_PATHS]))
        paths += f" and {each.files - MOST_PATHS:,} more" if each.files > MOST_PATHS else ""
        files = counted(each.files, "file")
        said = f"{files} to be read" if each.rows is None else f"{counted(each.rows, 'row')} of {files} read"
        yield f"back      {said} again, though {plain(each.why)}: {paths}"
    if len(brought_back) > MOST_NOTES:
        yield f"and {len(brought_back) - MOST_NOTES:,} more purges and reverts whose rows come back"


def _some(paths: Sequence[str], count: int) -> str:
    """A few of so many paths."""
    shown = [plain(path) for path in paths[:MOST_PATHS]]
    rest = f" and {count - len(shown):,} more: casparian files --where reason=no_parser" if count > len(shown) else ""
    return ", ".join(shown) + rest


def _lines(face: Face, reply: RunReply) -> Iterator[str]:
    skipped = ", ".join(f"{count} {reason}" for reason, count in reply.skipped.items())
    yield f"files     {reply.files}: {reply.run} run" + (f", {skipped}" if skipped else "")
    if reply.run:
        yield f"jobs      {reply.completed} completed, {reply.failed} failed, {reply.aborted} aborted"
        yield f"rows      {reply.accepted} accepted, {reply.quarantined} quarantined, {reply.rescued} values rescued"
    for again in reply.resumed:
        if (replay := again.replay) is not None:
            yield f"replay    {replay.replay} was interrupted and is {replay.stage}: rows {rows_text(again)}"
        if again.stopped is not None:
            yield from stopped_lines(again.stopped)
    if reply.tables:
        yield ""
        yield from _cut(face, reply.tables, TABLES, "tables: casparian tables")
        for sink in sorted({sink for each in reply.tables for sink in each.sinks}):
            yield f"in        {plain(sink)}"
    for note in reply.notes[:MOST_NOTES]:
        yield f"note      {plain(note.table)}.{plain(note.column)} {plain(note.note)}"
    for table, count in Counter(note.table for note in reply.notes[MOST_NOTES:]).most_common(MOST_NOTES):
        more = "note" if count == 1 else "notes"
        yield f"and {count:,} more {more} of {plain(table)}: casparian contract show {plain(table)}"
    for each in reply.tables[: face.summary_limit]:
        if each.rescued:
            yield f"rescued   {each.rescued:,} values of {plain(each.table)}: {plain(rescued_rows(each.table))}"
    if reply.failures:
        yield ""
        yield from _cut(face, reply.failures, FAILURES, f"files: {that_shows(reply.failures)}")
        for why in sorted({each.why for each in reply.failures if each.code == SINK_AWAY and each.why})[:MOST_REASONS]:
            yield f"because   {plain(why)}"
    if reply.unread:
        count = reply.skipped["no_parser"]
        yield f"no parser {count:,} {'file was' if count == 1 else 'files were'} not read: {_some(reply.unread, count)}"
    for path in reply.unreadable:
        yield f"could not be read: {plain(path)}"
    for waiting in reply.waiting:
        yield f"table {plain(waiting.table)} waits for: casparian contract approve {waiting.contract}"
    for change in reply.applied[:MOST_NOTES]:
        released = f"{counted(change.released, 'row')} released" + (
            f" by replay {', '.join(change.replays)}" if change.replays else ""
        )
        yield f"applied   {change.proposal} {plain(change.table)}: {plain(change.what)}, by policy: {released}"
    if len(reply.applied) > MOST_NOTES:
        yield f"and {len(reply.applied) - MOST_NOTES:,} more changes applied by policy: casparian approval list"
    for draft in reply.drafted[:MOST_NOTES]:
        seen = f"{counted(draft.rows, draft.unit)} in {counted(draft.files, 'file')}"
        step = about_draft(draft)
        yield f"{draft.state:9} {draft.proposal} {plain(draft.table)}: {plain(draft.what)} ({seen}): {step}"
    if len(reply.drafted) > MOST_NOTES:
        yield f"and {len(reply.drafted) - MOST_NOTES:,} more changes that files ask for: casparian approval list"
    if reply.held is not None:
        others = reply.skipped["held_by_policy"] - 1
        rest = f" (and {others:,} more that are held)" if others else ""
        yield f"held      {plain(reply.held)}: {plain(reply.held_why)}{rest}"
    for out in reply.retired[:MOST_NOTES]:
        gone = "file that is gone" if out.files == 1 else "files that are gone"
        step = f"casparian output history {plain(out.table)}"
        rows = f"{counted(out.rows, 'row')}, {out.quarantined:,} quarantined"
        yield f"retired   {plain(out.table)}: {rows}, of {out.files:,} {gone}: {step}"
    if len(reply.retired) > MOST_NOTES:
        yield f"and {len(reply.retired) - MOST_NOTES:,} more tables whose rows were retired"
    yield from moved_lines(reply.moved, "left")
    yield from brought_back_lines(reply.brought_back)
    for source in reply.emptied[:MOST_NOTES]:
        kept = "nothing is retired" if source.policy is WhenMissing.RETIRE else "no purge is asked for"
        gone = "the 1 file is gone" if source.files == 1 else f"all {source.files:,} files are gone"
        yield f"emptied   {plain(source.root)}: {gone} that brought rows, as if it were not mounted; {kept}"
        yield f"          gone on purpose: {plain(source.command)}"
    for purge in reply.purges[:MOST_NOTES]:
        what = f"{counted(purge.rows, 'row')} of {counted(purge.files, 'file')}"
        yield f"purge     {purge.proposal} waits for approval to erase {what}: casparian approval show {purge.proposal}"
    if len(reply.purges) > MOST_NOTES:
        yield f"and {len(reply.purges) - MOST_NOTES:,} more purges: casparian approval list --kind purge"
    if reply.open_quarantine or reply.gave_up:
        rows, files = counted(reply.open_quarantine, "row"), counted(reply.gave_up, "file")
        yield f"open      {rows} in quarantine, {files} given up"
    yield ""
    yield f"next      {plain(reply.next)}"
