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


Row = tuple[Any, ...]


def walk(
    connection: sqlite3.Connection, table: Table, expressions: Sequence[str], size: int
) -> Iterator[list[Row] | Damage]:
    """Lists of at most `size` rows, each with the rowid (or the ordinal from 1) before the expressions' values.

    Where a page is damaged, the rows before it have been given; with rowids the rows behind the damage follow,
    last first, and one Damage says what lies between.
    """
    count, last = 0, None
    try:
        for rows in _fetch(connection, table.select([table.rowid or "NULL", *expressions]), size):
            if table.rowid is None:
                rows = [(ordinal, *row[1:]) for ordinal, row in enumerate(rows, start=count + 1)]
            count += len(rows)
            last = rows[-1][0]
            yield rows
    except sqlite3.DatabaseError as error:
        if table.rowid is None:
            yield Damage(f"{error}; {count} rows were read before it")
        else:
            yield from _walk_back(connection, table, expressions, size, last, str(error))


def _walk_back(
    connection: sqlite3.Connection, table: Table, expressions: Sequence[str], size: int, last: int | None, error: str
) -> Iterator[list[Row] | Damage]:
    first: int | None = None
    try:
        for rows in _fetch(connection, table.select([table.rowid or "", *expressions], backwards=True), size):
            fresh = [row for row in rows if last is None or row[0] > last]
            if fresh:
                first = fresh[-1][0]
                yield fresh
            if len(fresh) < len(rows):
                break
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
