"""`casparian scan`: what a folder holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.progress import progress
from casparian_flow.clients.cli.render import Column, plain, size_text, table_lines
from casparian_flow.clients.cli.watching import show_watch, watch_options, watched_seconds
from casparian_flow.core.errors import UsageError
from casparian_flow.core.files import HashMode

if TYPE_CHECKING:
    from casparian_flow.operations.source.scan import ScanProblem, ScanReply

PROBLEMS = (Column("path"), Column("kind"), Column("reason"))
UNREADABLE = 3
"""The exit code when something could not be read."""


@click.command("scan")
@click.argument("paths", nargs=-1, metavar="[DIR|FILE|SOURCE]...")
@click.option("-p", "--pattern", "patterns", multiple=True, metavar="GLOB", help="Only paths like this; repeatable.")
@click.option("--ext", "extensions", multiple=True, metavar="E", help="Only with this extension; repeatable.")
@click.option("--min-size", metavar="S", help="Only files of at least this size, such as 10kB.")
@click.option("--max-size", metavar="S", help="Only files of at most this size.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Only so deep: 1 is the folder itself.")
@click.option(
    "--hash",
    "hash_mode",
    type=click.Choice([mode.value for mode in HashMode]),
    default=HashMode.CHANGED.value,
    show_default=True,
    help="Which files are read: all finds changes that left size and times alone.",
)
@click.option("--tag", metavar="T", help="Tag every file that the scan is about.")
@click.option("--threads", type=click.IntRange(1, 64), metavar="N", help="Read and list with N threads.")
@click.option("--sha256", "with_sha256", is_flag=True, help="Keep the sha256 of every file that is read, too.")
@watch_options
@click.option("--problems", "only_problems", is_flag=True, help="List what is no ordinary, readable file, and why.")
@pass_face
def command(face: Face, only_problems: bool, **wanted: Any) -> int:
    """Find, hash and recognise files; run nothing. Without a path, every known source.

    What the options leave out stays as it is known; nothing outside them is taken for missing.
    """
    seconds = watched_seconds(wanted)
    if seconds is None:
        return show_scan(face, only_problems=only_problems, **wanted)
    if only_problems:
        raise UsageError("--problems lists what is there now", fix="casparian scan --problems")
    from casparian_flow.operations.source.scan import ScanFiles

    return show_watch(face, lambda reply: _lines(face, reply), {"scan": ScanFiles(**_given(wanted)), **seconds})


def show_scan(face: Face, *, only_problems: bool = False, **wanted: Any) -> int:
    """Scan, show what was found, and give the exit code."""
    given = _given(wanted)
    with progress(face) as report:
        from casparian_flow.operations.source.scan import ScanFiles, ScanProblem

        reply = face.ask("scan", ScanFiles(**given), report)
    for warning in reply.warnings:
        face.note(f"note: {plain(warning)}")
    if only_problems:
        face.show_list("casparian.scan.problems/1", "problems", reply.problems, PROBLEMS, ScanProblem)
    else:
        face.show("casparian.scan/1", reply, _lines(face, reply))
    return UNREADABLE if reply.unreadable else 0


def _given(wanted: dict[str, Any]) -> dict[str, Any]:
    if "hash_mode" in wanted:
        wanted["hash_mode"] = HashMode(wanted["hash_mode"])
    return {name: value for name, value in wanted.items() if value is not None}


def _lines(face: Face, reply: ScanReply) -> Iterator[str]:
    changes = (
        (reply.new, "new"),
        (reply.changed, "changed"),
        (reply.missing, "missing"),
        (reply.returned, "back again"),
        (reply.renamed, "renamed"),
    )
    told = ", ".join(f"{count:,} {name}" for count, name in changes if count) or "nothing changed"
    yield f"entries   {reply.entries:,}: {told}"
    yield f"read      {reply.files_read:,} files, {size_text(reply.bytes_read)}; {reply.new_versions:,} new contents"
    for content, files in reply.content.items():
        yield f"{files:>9,}  {plain(content)}"
    for path in reply.still_changing:
        yield f"still being written, read at the next scan: {plain(path)}"
    unreadable = [problem for problem in reply.problems if problem.keeps_from_reading]
    if unreadable:
        yield ""
        yield from _unreadable(face, unreadable)
    odd = len(reply.problems) - len(unreadable)
    if odd:
        yield f"odd       {odd:,} entries are no ordinary files or oddly named; casparian scan --problems lists them"
    yield ""
    yield f"next      {plain(reply.next)}"


def _unreadable(face: Face, problems: list[ScanProblem]) -> Iterator[str]:
    from msgspec import to_builtins

    limit = face.limit or len(problems)
    yield f"{len(problems):,} could not be read"
    yield from table_lines(map(to_builtins, problems[:limit]), PROBLEMS, face.paper)
    if len(problems) > limit:
        yield f"and {len(problems) - limit:,} more; --all shows every one"
