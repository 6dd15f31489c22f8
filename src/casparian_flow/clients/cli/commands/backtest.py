"""`casparian backtest`: what a parser would make of files that were read before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import options_of, shared_options
from casparian_flow.clients.cli.progress import progress
from casparian_flow.clients.cli.render import Column, Kind, plain, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.rehearsal.backtest import (
        BacktestComparison,
        BacktestEntry,
        BacktestReply,
        FileOutcome,
    )

COUNTS = tuple(Column(name, Kind.COUNT) for name in ("gained", "lost", "changed", "quarantined", "released"))
BACKTESTS = (
    Column("backtest"),
    Column("parser"),
    Column("files", Kind.COUNT),
    Column("same", Kind.COUNT),
    Column("differing", Kind.COUNT),
    Column("failed", Kind.COUNT),
    Column("not_run", Kind.COUNT),
    *COUNTS,
    Column("asked_by"),
    Column("started", Kind.TIME),
)
FILES = (Column("path"), Column("outcome"), *COUNTS, Column("error"))


@click.group("backtest", cls=Noun, subject_verb="run")
@shared_options
def command() -> None:
    """What a parser would make of files that were read before: `backtest PARSER --on TAG`; without a word, a list."""


@command.command("run")
@click.argument("parser")
@click.option("--on", multiple=True, metavar="TAG|PATH", help="Only files with this tag, or at this path. Repeatable.")
@click.option("--option", "options", multiple=True, metavar="K=V", help="An option of the parser, such as delimiter=;")
@click.option("--max-files", type=click.IntRange(min=1), metavar="N", help="Read so many files, the worst first.")
@click.option(
    "--stop-after-lost", type=click.IntRange(min=1), metavar="N", help="Stop once so many rows would be lost."
)
@click.option(
    "--stop-failing",
    type=click.FloatRange(0, 1),
    metavar="R",
    help="Stop once more than this share of the files that landed before would fail.",
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Files read at once.")
@click.option(
    "--rekey", is_flag=True, help="Let files that come out the same count as read this way: no run reads them."
)
@pass_face
def run(face: Face, options: tuple[str, ...], **given: Any) -> None:
    """Read files with PARSER as a run would, and compare the rows with those that are there; nothing is written."""
    with progress(face) as report:
        from casparian_flow.operations.rehearsal.backtest import RunBacktest

        reply = face.ask("backtest.run", RunBacktest(**given, options=options_of(options)), report)
    face.show("casparian.backtest/1", reply, _lines(face, reply))


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every backtest, newest first."""
    from casparian_flow.operations.rehearsal.backtest import BacktestEntry, ListBacktests

    reply = face.ask("backtest.list", ListBacktests())
    face.show_list("casparian.backtests/1", "backtests", reply.backtests, BACKTESTS, BacktestEntry)


@command.command("show")
@click.argument("backtest")
@pass_face
def show(face: Face, backtest: str) -> None:
    """One backtest: BACKTEST is its number, such as B-4, or @last."""
    from casparian_flow.operations.rehearsal.backtest import ShowBacktest

    reply = face.ask("backtest.show", ShowBacktest(backtest=backtest))
    face.show(
        "casparian.backtest.detail/1", reply, [*_head(reply.backtest), "", *_files(face, reply.files, reply.backtest)]
    )


@command.command("compare")
@click.argument("before")
@click.argument("after")
@pass_face
def compare(face: Face, before: str, after: str) -> None:
    """What two backtests differ in, file by file."""
    from casparian_flow.operations.rehearsal.backtest import CompareBacktests

    reply = face.ask("backtest.compare", CompareBacktests(before=before, after=after))
    face.show("casparian.backtest.comparison/1", reply, _compared(face, reply))


def _lines(face: Face, reply: BacktestReply) -> Iterator[str]:
    yield from _head(reply.backtest)
    if reply.worst:
        yield ""
        yield from _files(face, reply.worst, reply.backtest)
    yield ""
    yield f"next      {plain(reply.next)}"


def _head(entry: BacktestEntry) -> Iterator[str]:
    options = ", ".join(f"{key}={value}" for key, value in entry.options.items())
    against = "what is there" if entry.against else "nothing, since it has brought nothing yet"
    yield (f"{entry.backtest}: {plain(entry.parser)}{' with ' + plain(options) if options else ''}, against {against}")
    parts = [f"{entry.same:,} the same", f"{entry.differing:,} differ", f"{entry.failed:,} fail"]
    if entry.not_run:
        parts.append(f"{entry.not_run:,} not read")
    yield f"files     {entry.files:,}: {', '.join(parts)}"
    yield (
        f"rows      {entry.gained:,} gained, {entry.lost:,} lost, {entry.changed:,} changed, "
        f"{entry.quarantined:,} newly quarantined, {entry.released:,} released"
    )
    if entry.rekeyed:
        yield f"moved     {entry.rekeyed:,} files count as read this way; no row was written"
    if entry.stop_reason:
        yield f"stopped   {plain(entry.stop_reason)}"
    elif entry.ended is None:
        yield "stopped   it never came to its end"


def _files(face: Face, files: Sequence[FileOutcome], entry: BacktestEntry) -> Iterator[str]:
    from msgspec import to_builtins

    shown = files[: face.summary_limit]
    yield from table_lines(map(to_builtins, shown), FILES, face.paper)
    if len(shown) < len(files):
        yield f"and {len(files) - len(shown):,} more: casparian backtest show {entry.backtest} --all"


def _compared(face: Face, reply: BacktestComparison) -> Iterator[str]:
    for entry in (reply.before, reply.after):
        yield from _head(entry)
    yield ""
    yield f"{reply.alike:,} files came out alike, {len(reply.files):,} otherwise"
    for each in reply.files[: face.summary_limit]:
        yield f"{plain(each.path)}: {_in_words(each.before)} -> {_in_words(each.after)}"
    if face.summary_limit is not None and len(reply.files) > face.summary_limit:
        yield f"and {len(reply.files) - face.summary_limit:,} more; --all shows every one"


def _in_words(file: FileOutcome | None) -> str:
    """What became of a file, in few words."""
    if file is None:
        return "not in it"
    counts = {name: getattr(file, name) for name in ("gained", "lost", "changed", "quarantined", "released")}
    return ", ".join([str(file.outcome), *(f"{count:,} {name}" for name, count in counts.items() if count)])
