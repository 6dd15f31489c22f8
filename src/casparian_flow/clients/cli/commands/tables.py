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
SECONDS = 60.0
FIELDS = (Column("name"), Column("type"), Column("says"))
PROFILE = (
    Column("table"),
    Column("column"),
    Column("type"),
    Column("count", Kind.COUNT),
    Column("nulls", Kind.COUNT),
    Column("distinct", Kind.COUNT),
    Column("is_exact", title="EXACT"),
    Column("min"),
    Column("max"),
    Column("min_length", Kind.COUNT),
    Column("max_length", Kind.COUNT),
    Column("top"),
    Column("top_counts"),
)

SECONDS = 60.0


@click.command("tables")
@click.argument("table", required=False)
@click.option("--profile", is_flag=True, help="Count, nulls, distinct values, extremes and commonest values by column.")
@pass_face
def command(face: Face, table: str | None, profile: bool) -> None:
    """The tables that `casparian sql` can name; with TABLE, its columns.

    With --profile each query is stopped after 60 seconds, or after those of --timeout.
    """
    if profile:
        _show_profile(face, table)
        return
    from casparian_flow.operations.query.sql import ListTables, TableColumn, TableEntry

    reply = face.ask("tables.list", ListTables(table=table))
    if table is None:
        face.show_list("casparian.tables/1", "tables", reply.tables, TABLES, TableEntry)
    else:
        face.show_list("casparian.table/1", "columns", reply.fields, FIELDS, TableColumn)


def _show_profile(face: Face, table: str | None) -> None:
    from casparian_flow.operations.query.profile import ColumnProfile, ProfileTables

    seconds = face.options.timeout or SECONDS
    reply = face.ask("tables.profile", ProfileTables(table=table, seconds=seconds))
    face.show_list("casparian.profile/1", "columns", reply.columns, PROFILE, ColumnProfile)
