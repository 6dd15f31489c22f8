"""`casparian quarantine`: rows that did not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain

if TYPE_CHECKING:
    from casparian_flow.operations.quarantine import GroupEntry

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
    if face.paper.format == "table":
        face.note(_next(reply.groups))


@command.command("show")
@click.argument("group")
@click.option(
    "-n", "--rows", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many rows."
)
@pass_face
def show(face: Face, group: str, rows: int) -> None:
    """The rows of one group as they were, with every reason."""
    from casparian_flow.operations.quarantine_rows import ShowGroup

    reply = face.ask("quarantine.show", ShowGroup(group=group, rows=rows))
    lines = [f"{reply.group.rows} rows in {reply.group.files} files of table {plain(reply.group.table)}"]
    for row in reply.rows:
        place = f"bytes {row.start}-{row.end}" if row.start is not None else plain(row.locator or "")
        lines += [
            "",
            f"{plain(row.path)} record {row.source_row} {place}" + (f", row {row.row}" if row.row else ""),
            *(f"  {plain(each)}" for each in row.errors),
        ]
        lines += [f"  {name}: {plain(text)}" for name, text in (("values", row.values), ("raw", row.raw)) if text]
    face.show("casparian.quarantine-group/1", reply, lines)


@command.command("export")
@click.argument("group")
@click.argument("out")
@pass_face
def export(face: Face, group: str, out: str) -> None:
    """Write all rows of one group to OUT: a .parquet, .csv, .jsonl or .duckdb file."""
    from casparian_flow.operations.quarantine_rows import ExportGroup

    reply = face.ask("quarantine.export", ExportGroup(group=group, to=out))
    face.show("casparian.quarantine-export/1", reply, [f"{reply.rows} rows written to {plain(reply.path)}"])


def _next(groups: Sequence[GroupEntry]) -> str:
    return f"next: casparian quarantine show {groups[0].group}" if groups else "no row is in quarantine"
