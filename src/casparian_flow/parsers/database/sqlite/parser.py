"""SQLite databases: every table with the values it holds, rows that are only in the WAL included."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlite_open import LONGEST_CELL, open_database
from sqlite_rows import Damage, Row, TooLarge, walk
from sqlite_tables import Table, Unreadable, find_tables, list_left_out
from sqlite_values import ARROW, Form, Layout, survey, tag

from casparian_flow.sdk import PermanentError, PluginMetadata, Rejected, Rows, Verdict

MANIFEST = PluginMetadata(
    version="1",
    shares_process=True,
    pattern=["*.db", "*.sqlite", "*.sqlite3", "*.db3"],
    content=["sqlite"],
    tables="file",
)

MOST_TABLES = 4096
CORRUPT = "cf.sqlite.corrupt"
NOT_UTF8 = "cf.sqlite.text"
TOO_LARGE = "cf.sqlite.oversize"
UNREADABLE = "cf.sqlite.unreadable"


def parse(path: Path) -> Iterator[Rows | Rejected | Verdict]:
    """Each table in turn. Damage ends a table at the worst, never the file."""
    with open_database(path) as connection:
        left_out = list_left_out(connection)
        yield Verdict("not read", ", ".join(left_out) or "nothing")
        tables = list(find_tables(connection))
        if len(tables) > MOST_TABLES:
            raise PermanentError(f"the database has {len(tables):,} tables; {MOST_TABLES:,} are the most of one file")
        for table in tables:
            if isinstance(table, Unreadable):
                yield Rejected(table.name or "unnamed", UNREADABLE, table.why, locator=f"table {table.name}", raw=b"")
            elif table.columns:
                yield from read_table(connection, table)


def read_table(connection: sqlite3.Connection, table: Table) -> Iterator[Rows | Rejected]:
    """All rows of one table that can be read; a table without rows still goes out with its columns."""
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_COLUMN)  # the rowid is one more
    layout: Layout | None = None
    try:
        if len(table.columns) < most:
            layout = survey(connection, table)
    except sqlite3.DatabaseError as error:
        yield Rejected(table.output, UNREADABLE, str(error), locator=f"table {table.name}", raw=b"")
        return
    if layout is None or len(layout.expressions()) >= most:
        message = f"SQLite gives no more than {most:,} values of a row; the table has {len(table.columns):,} columns"
        yield Rejected(table.output, UNREADABLE, message, locator=f"table {table.name}", raw=b"")
        return
    is_empty = True
    for rows in walk(connection, table, layout.expressions(), layout.rows_at_once):
        if isinstance(rows, Damage):
            yield _reject_damage(table, rows)
        elif isinstance(rows, TooLarge):
            message = f"a value of the row is larger than {LONGEST_CELL >> 20} MiB"
            locator = f"table {table.name}, row {rows.row}"
            yield Rejected(table.output, TOO_LARGE, message, locator=locator, raw=b"", source_row=rows.row)
        else:
            yield from _emit(layout, rows)
            is_empty = False
    if is_empty:
        yield Rows(table.output, pa.RecordBatch.from_pylist([], layout.schema()), source_row=[])


def _reject_damage(table: Table, damage: Damage) -> Rejected:
    between = [f"after rowid {damage.after}" if damage.after is not None else "from the first row on"]
    between += [f"before rowid {damage.before}"] if damage.before is not None else []
    place = " and ".join(between) if table.rowid else "to the end"
    message = f"rows {place} cannot be read: {damage.message}"
    return Rejected(table.output, CORRUPT, message, locator=f"table {table.name}, {place}", raw=b"")


def _emit(layout: Layout, rows: Sequence[Row]) -> Iterator[Rows | Rejected]:
    """The rows as one batch; those with text that is not UTF-8 are taken out and rejected."""
    values = list(zip(*rows, strict=True))
    columns, bad = _columns(layout, values)
    if bad:
        for place, (column, raw) in sorted(bad.items()):
            locator = f"table {layout.table.name}, row {rows[place][0]}, column {column}"
            message = f"the text in column {column} is not UTF-8"
            yield Rejected(layout.table.output, NOT_UTF8, message, locator=locator, raw=raw, source_row=rows[place][0])
        rows = [row for place, row in enumerate(rows) if place not in bad]
        if not rows:
            return
        values = list(zip(*rows, strict=True))
        columns, _ = _columns(layout, values)
    batch = pa.RecordBatch.from_arrays(columns, schema=layout.schema())
    yield Rows(layout.table.output, batch, source_row=pa.array(values[0], pa.int64()))


def _columns(layout: Layout, values: Sequence[Sequence[Any]]) -> tuple[list[pa.Array], dict[int, tuple[str, bytes]]]:
    """The Arrow columns, and for each row that has text which is not UTF-8 its first such column and bytes."""
    columns: list[pa.Array] = []
    bad: dict[int, tuple[str, bytes]] = {}
    following = iter(values[1:])
    for column, form in zip(layout.table.columns, layout.forms, strict=True):
        cells = next(following)
        if form is Form.MIXED:
            cells = [tag(value, kind) for value, kind in zip(cells, next(following), strict=True)]
        if form not in (Form.TEXT, Form.MIXED):
            columns.append(pa.array(cells, ARROW[form]))
            continue
        try:
            columns.append(pa.array(cells, pa.binary()).cast(pa.string()))
        except pa.ArrowInvalid:
            for place, cell in enumerate(cells):
                if cell is not None and not _is_utf8(cell):
                    bad.setdefault(place, (column.original, cell[form is Form.MIXED :]))
    return columns, bad


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
