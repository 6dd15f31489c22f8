"""`casparian source`: the folders and files that are scanned."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain

COLUMNS = (
    Column("id"),
    Column("root"),
    Column("entries", Kind.COUNT),
    Column("scanned", Kind.TIME),
    Column("ignore"),
)


@click.group("source", cls=Noun)
@shared_options
def command() -> None:
    """The folders and files that are scanned, and what is left out of them."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every source and what it leaves out."""
    from casparian_flow.operations.sources import ListSources, SourceEntry

    reply = face.ask("source.list", ListSources())
    face.show_list("casparian.sources/1", "sources", reply.sources, COLUMNS, SourceEntry)


@command.command("ignore")
@click.argument("source")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--replace", "replaces", is_flag=True, help="Instead of the rules that the source has.")
@pass_face
def ignore(face: Face, source: str, patterns: tuple[str, ...], replaces: bool) -> None:
    """Leave paths out of SOURCE (its number or path), by rules as in a .gitignore; `!` takes a path back in."""
    from casparian_flow.core.errors import UsageError
    from casparian_flow.operations.sources import IgnorePaths

    if not patterns and not replaces:
        raise UsageError("no pattern was given", fix="casparian source ignore SOURCE '*.tmp' 'cache/'")
    reply = face.ask("source.ignore", IgnorePaths(source=source, patterns=patterns, replaces=replaces))
    rules = [f"ignore    {plain(rule)}" for rule in reply.ignore] or ["ignore    nothing"]
    face.show(
        "casparian.source/1",
        reply,
        [f"source    {reply.id}: {plain(reply.root)}", *rules, "", f"next      casparian scan {plain(reply.root)}"],
    )
