"""Columns of SQLite values, which each have their own storage class, as typed Arrow columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
from sqlite_rows import walk
from sqlite_tables import Table, TableColumn, quote

from casparian_flow.sdk.emit import FIELD_ENCODING, FIELD_ORIGINAL, FIELD_TYPE

EXACT = 1 << 53
"""Up to here every integer is a float64 of the same value."""

COLUMNS_AT_ONCE = 300
MOST_ROWS, MOST_BYTES = 8192, 16 << 20


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
    """What storage classes the values of each column have, found by looking at all of them."""
    forms: list[Form] = []
    widest = 16 * len(table.columns)
    for start in range(0, len(table.columns), COLUMNS_AT_ONCE):
        columns = table.columns[start : start + COLUMNS_AT_ONCE]
        for column, (integer, real, text, blob, inexact, length) in zip(
            columns, _survey_columns(connection, table, columns), strict=True
        ):
            widest += length
            forms.append(_form(column, integer, real, text, blob, inexact))
    return Layout(table, forms, max(1, min(MOST_ROWS, MOST_BYTES // max(1, widest))))


def _survey_columns(
    connection: sqlite3.Connection, table: Table, columns: Sequence[TableColumn]
) -> list[tuple[int, ...]]:
    """For each column: has it integers, reals, texts, blobs, inexact integers; and the most bytes of a value."""
    names = [quote(column.original) for column in columns]
    seen = [
        expression
        for name in names
        for expression in (
            *(f"typeof({name}) = '{kind}'" for kind in ("integer", "real", "text", "blob")),
            f"typeof({name}) = 'integer' AND {name} NOT BETWEEN -{EXACT} AND {EXACT}",
            f"CASE typeof({name}) WHEN 'text' THEN 4 * length({name}) WHEN 'blob' THEN length({name}) END",
        )
    ]
    try:
        found = connection.execute(table.select([f"max({expression})" for expression in seen])).fetchone()
    except sqlite3.DatabaseError:
        found = [0] * len(seen)
        for rows in walk(connection, table, seen, MOST_ROWS):
            if isinstance(rows, list):
                found = [
                    max(value or 0 for value in values)
                    for values in zip(found, *(row[1:] for row in rows), strict=True)
                ]
    values = [value or 0 for value in found]
    return [tuple(values[at : at + 6]) for at in range(0, len(values), 6)]


def _form(column: TableColumn, integer: int, real: int, text: int, blob: int, inexact: int) -> Form:
    present = bool(integer) + bool(real) + bool(text) + bool(blob)
    if present == 0:
        return _declared_form(column.declared)
    if present == 1:
        return Form.INTEGER if integer else Form.REAL if real else Form.TEXT if text else Form.BLOB
    return Form.REAL if present == 2 and integer and real and not inexact else Form.MIXED


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
