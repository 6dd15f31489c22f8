"""`casparian source`: the folders and files that are scanned."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.commands.scan import show_scan
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, readable
from casparian_flow.core.tombstones import WhenMissing

if TYPE_CHECKING:
    from casparian_flow.operations.source.sources import SourceDetail, SourceEntry

COLUMNS = (
    Column("id"),
    Column("name"),
    Column("root"),
    Column("entries", Kind.COUNT),
    Column("scanned", Kind.TIME),
    Column("ignore"),
    Column("is_in_use", title="IN USE"),
)


@click.group("source", cls=Noun)
@shared_options
def command() -> None:
    """The folders and files that are scanned, and what is left out of them."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every source and what it leaves out."""
    from casparian_flow.operations.source.sources import ListSources, SourceEntry

    reply = face.ask("source.list", ListSources())
    face.show_list("casparian.sources/1", "sources", reply.sources, COLUMNS, SourceEntry)


@command.command("add")
@click.argument("path")
@click.option("--name", metavar="N", help="A name to call it by.")
@click.option(
    "--recursive/--no-recursive", default=True, show_default=True, help="Whether its folders are walked into."
)
@dry_run_option
@pass_face
def add(face: Face, path: str, name: str | None, recursive: bool) -> None:
    """Remember PATH, a folder or a file, to be scanned later; links in it are never followed."""
    from casparian_flow.operations.source.sources import AddSource

    reply = face.ask("source.add", AddSource(path=path, name=name, recursive=recursive))
    for warning in reply.warnings:
        face.note(f"note: {plain(warning)}")
    source = reply.source
    face.show(
        "casparian.source.added/1",
        reply,
        [*_source_lines(source), "", f"next      casparian scan {shlex.quote(plain(source.name or source.root))}"],
    )


@command.command("show")
@click.argument("source")
@pass_face
def show(face: Face, source: str) -> None:
    """One source: SOURCE is its number, its name or its path."""
    from casparian_flow.operations.source.sources import ShowSource

    reply = face.ask("source.show", ShowSource(source=source))
    face.show("casparian.source.detail/1", reply, _detail_lines(reply))


@command.command("remove")
@click.argument("source")
@dry_run_option
@pass_face
def remove(face: Face, source: str) -> None:
    """Scan SOURCE no longer. Its rows and their lineage stay; `source add` takes it back."""
    from casparian_flow.operations.source.sources import RemoveSource, ShowSource

    found = face.ask("source.show", ShowSource(source=source))
    entry = found.source
    plan = f"{plain(entry.root)} and its {entry.entries:,} entries are scanned no longer; {_rows(found.tables)} stay"
    face.confirm(plan, plain(entry.name or str(entry.id)))
    reply = face.ask("source.remove", RemoveSource(source=str(entry.id)))
    lines = [
        f"removed   {plain(reply.root)}",
        f"files     {reply.files:,} are left out from now on",
        f"kept      {_rows(reply.tables)}",
    ]
    face.show("casparian.source.removed/1", reply, lines)


@command.command("use")
@click.argument("source", required=False)
@dry_run_option
@pass_face
def use(face: Face, source: str | None) -> None:
    """Let scan, plan and run without a path be about SOURCE only; without SOURCE, about every one again."""
    from casparian_flow.operations.source.sources import UseSource

    reply = face.ask("source.use", UseSource(source=source))
    about = f"only {plain(reply.source.name or reply.source.root)}" if reply.source else "every source"
    face.show("casparian.source.used/1", reply, [f"without a path, scan, plan and run are about {about}"])


@command.command("sync")
@click.argument("source", required=False)
@pass_face
def sync(face: Face, source: str | None) -> int:
    """Scan SOURCE again: its number, its name or its path; with --all, every source."""
    from casparian_flow.core.errors import UsageError
    from casparian_flow.operations.source.sources import ListSources, ShowSource

    if source is None and not face.options.all:
        raise UsageError("no source was given", fix="casparian source sync --all")
    if source is None:
        wanted = face.ask("source.list", ListSources()).sources
    else:
        wanted = [face.ask("source.show", ShowSource(source=source)).source]
    return show_scan(face, sources=tuple(each.id for each in wanted))


@command.command("ignore")
@click.argument("source")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--replace", "replaces", is_flag=True, help="Instead of the rules that the source has.")
@dry_run_option
@pass_face
def ignore(face: Face, source: str, patterns: tuple[str, ...], replaces: bool) -> None:
    """Leave paths out of SOURCE, by rules as in a .gitignore; `!` takes a path back in."""
    from casparian_flow.core.errors import UsageError
    from casparian_flow.operations.source.sources import IgnorePaths

    if not patterns and not replaces:
        raise UsageError("no pattern was given", fix="casparian source ignore SOURCE '*.tmp' 'cache/'")
    reply = face.ask("source.ignore", IgnorePaths(source=source, patterns=patterns, replaces=replaces))
    lines = [*_source_lines(reply), "", f"next      casparian scan {shlex.quote(plain(reply.root))}"]
    face.show("casparian.source/1", reply, lines)


@command.command("policy")
@click.argument("source")
@click.argument("policy", type=click.Choice([each.value for each in WhenMissing]))
@click.option("--even-if-empty", is_flag=True, help="Also if no file is left: those gone by now are gone on purpose.")
@dry_run_option
@pass_face
def policy(face: Face, source: str, policy: str, *, even_if_empty: bool) -> None:
    """Choose what the end of a run does with the rows of files that SOURCE has no more.

    keep leaves them, retire takes them out of their tables, purge asks for approval to erase them for good. While no
    file is left that brought rows, nothing happens: a disk that is not mounted looks like that. What lay on a disk
    inside the source that is away stays, too.
    """
    from casparian_flow.operations.source.sources import SetSourcePolicy

    reply = face.ask(
        "source.policy", SetSourcePolicy(source=source, when_missing=WhenMissing(policy), even_if_empty=even_if_empty)
    )
    face.show("casparian.source/1", reply, _source_lines(reply))


def _source_lines(source: SourceEntry) -> Iterator[str]:
    yield f"source    {source.id}: {plain(source.root)}"
    if source.name:
        yield f"name      {plain(source.name)}"
    yield from [f"ignore    {plain(rule)}" for rule in source.ignore] or ["ignore    nothing"]
    yield f"gone      rows of files that are gone: {source.when_missing}"


def _detail_lines(detail: SourceDetail) -> Iterator[str]:
    yield from _source_lines(detail.source)
    yield f"scanned   {readable(detail.source.scanned, Kind.TIME)}"
    counts = ", ".join(f"{count:,} {state}" for state, count in detail.files.items() if count)
    yield f"files     {counts or 'none'}"
    yield f"rows      {_rows(detail.tables)}"


def _rows(tables: dict[str, int]) -> str:
    return ", ".join(f"{rows:,} rows of {plain(table)}" for table, rows in tables.items()) or "no rows"
