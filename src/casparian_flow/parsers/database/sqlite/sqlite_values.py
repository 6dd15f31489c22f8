"""Columns of SQLite values, which each have their own storage class, as typed Arrow columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
from sqlite_rows import walk
from sqlite_tables import Table, TableColumn, quote

from casparian_flow.sdk.emit import FIELD_ENCODING, FIELD_ORIGINAL, FIELD_TYPE

EXACT = 1 << 53
"""Up to here every integer is a float64 of the same value."""

EXPRESSIONS_AT_ONCE = 1800
"""SQLite answers at most 2,000 columns."""
MOST_ROWS, MOST_BYTES = 8192, 16 << 20


Extreme = Callable[..., Any]
"""`min` or `max`, which SQLite has under the same names."""


class Form(StrEnum):
    """How a column goes out."""

    INTEGER = "integer"
    REAL = "real"
    TEXT = "text"
    BLOB = "blob"
    MIXED = "mixed"
    """As JSON cells, since its values are of several classes."""


ARROW = {
    Form.INTEGER: pa.int64(),
    Form.REAL: pa.float64(),
    Form.TEXT: pa.string(),
    Form.BLOB: pa.binary(),
    Form.MIXED: pa.string(),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The forms of a table's columns, and how many rows fit into one batch."""

    table: Table
    forms: Sequence[Form]
    rows_at_once: int

    def expressions(self) -> list[str]:
        """What to select; a mixed column takes two: its value and its class."""
        wanted: list[str] = []
        for column, form in zip(self.table.columns, self.forms, strict=True):
            wanted.append(quote(column.original))
            if form is Form.MIXED:
                wanted.append(f"typeof({quote(column.original)})")
        return wanted

    def schema(self) -> pa.Schema:
        """The columns as they go out."""
        return pa.schema([_field(*pair) for pair in zip(self.table.columns, self.forms, strict=True)])


def _field(column: TableColumn, form: Form) -> pa.Field:
    metadata: dict[bytes, bytes] = {}
    if form is Form.TEXT:
        metadata[FIELD_TYPE] = b"string"
    if form is Form.MIXED:
        metadata[FIELD_ENCODING] = b"json"
    if column.name != column.original:
        metadata[FIELD_ORIGINAL] = column.original.encode()
    return pa.field(column.name, ARROW[form], metadata=metadata or None)


def survey(connection: sqlite3.Connection, table: Table) -> Layout:
    """What storage classes the values of each column have, found by looking at all of them.

    Twice: the second time only at what the classes leave open, which is how large values are, mostly.
    """
    columns = [quote(column.original) for column in table.columns]
    classes = [f"nullif(typeof({column}), 'null')" for column in columns]
    found = _aggregate(connection, table, [(extreme, each) for each in classes for extreme in (min, max)])
    lowest, highest = found[::2], found[1::2]
    forms = list(map(_form, table.columns, lowest, highest))
    doubtful = [at for at, form in enumerate(forms) if form is Form.REAL and lowest[at] == b"integer"]
    inexact = [
        f"typeof({columns[at]}) = 'integer' AND {columns[at]} NOT BETWEEN -{EXACT} AND {EXACT}" for at in doubtful
    ]
    sizes = [
        f"CASE typeof({column}) WHEN 'text' THEN 4 * length({column}) WHEN 'blob' THEN length({column}) END"
        for column, form in zip(columns, forms, strict=True)
        if form not in (Form.INTEGER, Form.REAL)
    ]
    found = _aggregate(connection, table, [(max, each) for each in (*inexact, *sizes)])
    for at, is_inexact in zip(doubtful, found[: len(doubtful)], strict=True):
        if is_inexact:
            forms[at] = Form.MIXED
    widest = 16 * len(columns) + sum(size or 0 for size in found[len(doubtful) :])
    return Layout(table, forms, max(1, min(MOST_ROWS, MOST_BYTES // max(1, widest))))


def _aggregate(connection: sqlite3.Connection, table: Table, wanted: Sequence[tuple[Extreme, str]]) -> list[Any]:
    """The least or the largest value of each expression over all rows that can be read; None where all are null."""
    found: list[Any] = []
    for start in range(0, len(wanted), EXPRESSIONS_AT_ONCE):
        some = wanted[start : start + EXPRESSIONS_AT_ONCE]
        try:
            found += connection.execute(table.select([f"{which.__name__}({each})" for which, each in some])).fetchone()
        except sqlite3.DatabaseError:
            found += _aggregate_by_walking(connection, table, some)
    return found


def _aggregate_by_walking(
    connection: sqlite3.Connection, table: Table, wanted: Sequence[tuple[Extreme, str]]
) -> list[Any]:
    found: list[Any] = [None] * len(wanted)
    for rows in walk(connection, table, [each for _, each in wanted], MOST_ROWS):
        if isinstance(rows, list):
            columns = list(zip(*rows, strict=True))[1:]  # without the rowids
            found = [
                which((value for value in (known, *values) if value is not None), default=None)
                for (which, _), known, values in zip(wanted, found, columns, strict=True)
            ]
    return found


def _form(column: TableColumn, lowest: bytes | None, highest: bytes | None) -> Form:
    """By the first and the last of its classes in the order of the alphabet: blob, integer, real, text."""
    if lowest is None or highest is None:
        return _declared_form(column.declared)
    if lowest == highest:
        return Form(lowest.decode())
    return Form.REAL if (lowest, highest) == (b"integer", b"real") else Form.MIXED


def _declared_form(declared: str) -> Form:
    """The form of a column without values, by SQLite's rules of affinity."""
    declared = declared.upper()
    if "INT" in declared:
        return Form.INTEGER
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return Form.TEXT
    if "BLOB" in declared:
        return Form.BLOB
    return Form.REAL if any(word in declared for word in ("REAL", "FLOA", "DOUB")) else Form.TEXT


def tag(value: Any, kind: bytes | None) -> bytes | None:
    """One value of a mixed column as a JSON cell: text keeps its bytes behind a quote, a blob is `$binary`."""
    if value is None:
        return None
    if kind == b"text":
        return b'"' + bytes(value)
    if kind == b"blob":
        return b'{"$binary": "' + bytes(value).hex().encode() + b'"}'
    if value in (float("inf"), float("-inf")):
        return b"9e999" if value > 0 else b"-9e999"
    return repr(value).encode()
