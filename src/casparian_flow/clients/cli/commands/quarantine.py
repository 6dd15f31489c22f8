"""`casparian quarantine`: rows that did not fit."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind

COLUMNS = (
    Column("group"),
    Column("rows", Kind.COUNT),
    Column("files", Kind.COUNT),
    Column("table"),
    Column("code"),
    Column("column"),
    Column("shape"),
    Column("message"),
    Column("sample"),
)


@click.group("quarantine", cls=Noun)
@shared_options
def command() -> None:
    """Rows that did not fit, grouped by cause."""


@command.command("list")
@click.option("--table", metavar="T", help="Of this table.")
@click.option("--code", metavar="C", help="With this code.")
@pass_face
def list_(face: Face, table: str | None, code: str | None) -> None:
    """The causes that keep rows in quarantine, the largest first."""
    from casparian_flow.operations.quarantine import GroupEntry, ListGroups

    reply = face.ask("quarantine.list", ListGroups(table=table, code=code))
    face.show_list("casparian.quarantine/1", "groups", reply.groups, COLUMNS, GroupEntry)
