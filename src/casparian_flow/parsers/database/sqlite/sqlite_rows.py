"""The rows of one table, as far as its pages can be read: from the front, and after damage from the back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlite_tables import Table


@dataclass(frozen=True, slots=True)
class Damage:
    """Rows that cannot be read: between two rowids where these are known."""

    message: str
    after: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """One row that cannot be read since it has a larger value than SQLite may give."""

    row: int


Row = tuple[Any, ...]


def walk(
    connection: sqlite3.Connection, table: Table, expressions: Sequence[str], size: int
) -> Iterator[list[Row] | Damage | TooLarge]:
    """Lists of at most `size` rows, each with the rowid (or the ordinal from 1) before the expressions' values.

    Where a page is damaged, the rows before it have been given; with rowids the rows behind the damage follow,
    last first, and one Damage says what lies between.
    """
    count: int = 0
    last: int | None = None
    while True:
        try:
            for rows in _fetch(connection, table.select_rows(expressions, after=last), size):
                if table.rowid is None:
                    rows = [(ordinal, *row[1:]) for ordinal, row in enumerate(rows, start=count + 1)]
                count += len(rows)
                last = rows[-1][0]
                yield rows
        except sqlite3.DatabaseError as error:
            large = _next_row(connection, table, last) if isinstance(error, sqlite3.DataError) else None
            if large is not None:
                last = large
                yield TooLarge(large)
                continue
            if table.rowid is None:
                yield Damage(f"{error}; {count} rows were read before it")
            else:
                yield from _walk_back(connection, table, expressions, size, last, str(error))
        return


def _next_row(connection: sqlite3.Connection, table: Table, last: int | None) -> int | None:
    """The rowid that follows, if it can be read."""
    if table.rowid is None:
        return None
    try:
        found = connection.execute(table.select_rows([], after=last) + " LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if found is None else int(found[0])


def _walk_back(
    connection: sqlite3.Connection, table: Table, expressions: Sequence[str], size: int, last: int | None, error: str
) -> Iterator[list[Row] | Damage]:
    first: int | None = None
    try:
        for rows in _fetch(connection, table.select_rows(expressions, after=last, backwards=True), size):
            first = rows[-1][0]
            yield rows
    except sqlite3.DatabaseError as second:
        error = str(second)
    yield Damage(error, after=last, before=first)


def _fetch(connection: sqlite3.Connection, statement: str, size: int) -> Iterator[list[Row]]:
    """Rows in lists; those read before an error are given before it is raised."""
    failed: sqlite3.DatabaseError | None = None
    cursor = connection.execute(statement)
    count = 0
    while failed is None:
        rows: list[Row] = []
        try:
            for row in islice(cursor, size):
                rows.append(row)
        except sqlite3.DatabaseError as error:
            failed = error
            rows += _fetch_withheld(connection, statement, count + len(rows))
        count += len(rows)
        if rows:
            yield rows
        elif failed is None:
            return
    raise failed


def _fetch_withheld(connection: sqlite3.Connection, statement: str, count: int) -> list[Row]:
    """The row before an error: the driver looks one row ahead, and loses the one in hand when that fails."""
    try:
        return connection.execute(f"{statement} LIMIT 1 OFFSET {count}").fetchall()
    except sqlite3.DatabaseError:
        return []
