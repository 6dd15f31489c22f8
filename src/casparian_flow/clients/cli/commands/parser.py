"""`casparian parser`: what turns files into rows."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind

COLUMNS = (
    Column("name"),
    Column("version"),
    Column("status"),
    Column("origin"),
    Column("jobs", Kind.COUNT),
    Column("path"),
    Column("registered", Kind.TIME),
)


@click.group("parser", cls=Noun)
@shared_options
def command() -> None:
    """What turns files into rows, and how far it is trusted."""


@command.command("list")
@click.option("--versions", is_flag=True, help="Every artifact ever seen, not only the newest.")
@pass_face
def list_(face: Face, versions: bool) -> None:
    """Parsers that this home has seen."""
    from casparian_flow.operations.parser import ListParsers, ParserEntry

    reply = face.ask("parser.list", ListParsers(versions=versions))
    face.show_list("casparian.parsers/1", "parsers", reply.parsers, COLUMNS, ParserEntry)
