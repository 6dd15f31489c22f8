"""What a database says it holds: its tables with their columns, and how to ask for their rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROWID_NAMES = ("rowid", "oid", "_rowid_")
RESERVED = "_cf_"
HIDDEN = 1
"""In `table_xinfo`: an argument of a virtual table, not a column of its rows."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: its name in the database, the name it goes out under, and its declared type."""

    original: str
    name: str
    declared: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table that can be asked for its rows."""

    name: str
    columns: Sequence[TableColumn]
    rowid: str | None
    """The word by which its rows can be asked for their rowid; None where they have none."""

    @property
    def output(self) -> str:
        """The output's name; an output of no name would be the file's own table."""
        return self.name or "unnamed"

    def select(self, expressions: Sequence[str]) -> str:
        """A statement for these expressions over all rows, from the table's own pages and not from an index."""
        return f"SELECT {', '.join(expressions)} FROM main.{quote(self.name)} NOT INDEXED"  # noqa: S608 - names are quoted

    def select_rows(self, expressions: Sequence[str], *, after: int | None = None, backwards: bool = False) -> str:
        """The same with the rowid in front, in the order of the rowids or against it; NULL where there are none."""
        if self.rowid is None:
            return self.select(["NULL", *expressions])
        beyond = "" if after is None else f" WHERE {self.rowid} > {after}"
        order = f" ORDER BY {self.rowid}{' DESC' if backwards else ''}"
        return self.select([self.rowid, *expressions]) + beyond + order


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A table of the list that SQLite cannot open: a virtual one of an unknown module, for example."""

    name: str
    why: str


def quote(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def list_left_out(connection: sqlite3.Connection) -> list[str]:
    """The names of what is not read: views, and SQLite's own tables."""
    return [name for name, kind in _list(connection) if kind == "view" or _is_internal(name)]


def find_tables(connection: sqlite3.Connection) -> Iterator[Table | Unreadable]:
    """Every table in the order of the database's own list."""
    for name, kind in _list(connection):
        if kind == "table" and not _is_internal(name):
            try:
                yield _describe(connection, name)
            except sqlite3.DatabaseError as error:
                yield Unreadable(name, str(error))


def _list(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    found = connection.execute("SELECT name, type FROM main.sqlite_master WHERE type IN ('table', 'view')").fetchall()
    return [(name.decode("utf-8", "replace"), kind.decode()) for name, kind in found]


def _is_internal(name: str) -> bool:
    return name.lower().startswith("sqlite_")


def _describe(connection: sqlite3.Connection, name: str) -> Table:
    found = connection.execute(f"PRAGMA main.table_xinfo({quote(name)})").fetchall()
    found = [row for row in found if row[6] != HIDDEN]
    originals = [row[1].decode("utf-8", "replace") for row in found]
    declared = [row[2].decode("utf-8", "replace") for row in found]
    names = outgoing_names(originals)
    columns = [TableColumn(*column) for column in zip(originals, names, declared, strict=True)]
    taken = {original.lower() for original in originals}
    rowid = next((word for word in ROWID_NAMES if word not in taken), None)
    if rowid is not None:
        try:
            connection.execute(f"SELECT {rowid} FROM main.{quote(name)} LIMIT 0")  # noqa: S608 - the name is quoted
        except sqlite3.OperationalError:
            rowid = None
    return Table(name, columns, rowid)


def outgoing_names(originals: Sequence[str]) -> list[str]:
    """Names fit to go out: none empty, none reserved, none twice whatever the case."""
    names: list[str] = []
    taken: set[str] = set()
    for place, original in enumerate(originals, start=1):
        base = f"x{original}" if original.lower().startswith(RESERVED) else original or f"column_{place}"
        name, times = base, 1
        while name.lower() in taken:
            times += 1
            name = f"{base}_{times}"
        taken.add(name.lower())
        names.append(name)
    return names
