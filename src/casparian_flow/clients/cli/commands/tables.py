"""`casparian tables`: what can be queried."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, Kind

TABLES = (
    Column("table"),
    Column("kind"),
    Column("rows", Kind.COUNT),
    Column("files", Kind.COUNT),
    Column("sink"),
)
FIELDS = (Column("name"), Column("type"), Column("says"))


@click.command("tables")
@click.argument("table", required=False)
@pass_face
def command(face: Face, table: str | None) -> None:
    """The tables that `casparian sql` can name; with TABLE, its columns."""
    from casparian_flow.operations.sql import ListTables, TableColumn, TableEntry

    reply = face.ask("tables.list", ListTables(table=table))
    if table is None:
        face.show_list("casparian.tables/1", "tables", reply.tables, TABLES, TableEntry)
    else:
        face.show_list("casparian.table/1", "columns", reply.fields, FIELDS, TableColumn)
