"""`casparian quarantine`: rows that did not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain
from casparian_flow.clients.cli.table import shorten

if TYPE_CHECKING:
    from casparian_flow.operations.quarantine import GroupEntry
    from casparian_flow.operations.quarantine_rows import GroupDetail

MOST_ROWS = 10_000
COLUMNS = (
    Column("group"),
    Column("rows", Kind.COUNT),
    Column("files", Kind.COUNT),
    Column("table"),
    Column("code"),
    Column("column"),
    Column("shape"),
    Column("message"),
    Column("sample", longest=60),
)
LONGEST_SHOWN = 400
"""Of what a row held; the header of a binary file is thousands of zero bytes."""


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
    "-n", "--rows", type=click.IntRange(1, MOST_ROWS), default=20, show_default=True, help="At most so many rows."
)
@pass_face
def show(face: Face, group: str, rows: int) -> None:
    """The rows of one group as they were, with every reason."""
    from casparian_flow.operations.quarantine_rows import ShowGroup

    reply = face.ask("quarantine.show", ShowGroup(group=group, rows=rows))
    face.show("casparian.quarantine-group/1", reply, _lines(reply, face.paper.mark))


@command.command("export")
@click.argument("group")
@click.argument("out")
@pass_face
def export(face: Face, group: str, out: str) -> None:
    """Write all rows of one group to OUT: a .parquet, .csv, .jsonl or .duckdb file."""
    from casparian_flow.operations.quarantine_rows import ExportGroup

    reply = face.ask("quarantine.export", ExportGroup(group=group, to=out))
    face.show("casparian.quarantine-export/1", reply, [f"{reply.rows} rows written to {plain(reply.path)}"])


def _lines(detail: GroupDetail, mark: str) -> Iterator[str]:
    group = detail.group
    yield f"{group.rows:,} rows in {group.files:,} files of table {plain(group.table)}: {plain(group.message)}"
    for row in detail.rows:
        place = f"bytes {row.start}-{row.end}" if row.start is not None else plain(row.locator or "")
        yield ""
        yield f"{plain(row.path)} record {row.source_row} {place}" + (f", row {row.row}" if row.row else "")
        for reason in row.errors or [row.message]:
            yield f"  {shorten(plain(reason), LONGEST_SHOWN, mark)}"
        for name, text in (("values", row.values), ("raw", row.raw)):
            if text:
                yield f"  {name}: {shorten(plain(text), LONGEST_SHOWN, mark)}"
    if (left := group.rows - len(detail.rows)) > 0:
        yield ""
        most = min(group.rows, MOST_ROWS)
        further = f"show {group.group} --rows {most}" if len(detail.rows) < most else f"export {group.group} OUT.csv"
        yield f"{left:,} more: casparian quarantine {further}"


def _next(groups: Sequence[GroupEntry]) -> str:
    return f"next: casparian quarantine show {groups[0].group}" if groups else "no row is in quarantine"
