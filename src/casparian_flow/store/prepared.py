"""Statements of Core that the driver runs: for what is done with every job, Core itself would take most of the time."""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import Boolean, Connection, ScalarSelect, bindparam, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.selectable import ReturnsRows


def each_of(name: str) -> ScalarSelect[Any]:
    """The values of a parameter that is a JSON list, for `in_`: one text of SQL however many there are."""
    return select(func.json_each(bindparam(name)).table_valued("value").c.value).scalar_subquery()


def listed(values: Iterable[int] | Iterable[str]) -> str:
    """Ids or hashes as the value of such a parameter."""
    return msgspec.json.encode(list(values)).decode()


class Prepared:
    """One statement, compiled when it is first run; every parameter that has no value in it is given by name.

    It runs in the transaction of the connection that it is given. Failures are those of Core.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement

    def rows(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """Every row, its columns by name."""
        return list(map(self._row, self._execute(connection, values).fetchall()))

    def row(self, connection: Connection, **values: Any) -> Any | None:
        """The one row of a statement that gives one at most; None if there is none."""
        found = self._execute(connection, values).fetchall()
        return self._row(found[0]) if found else None

    def run(self, connection: Connection, **values: Any) -> int:
        """How many rows were changed."""
        return self._execute(connection, values).rowcount

    def run_all(self, connection: Connection, many: Iterable[dict[str, Any]]) -> int:
        """Run it for each of these sets of parameters; how many rows were changed by all of them."""
        text, given = self._compiled
        rows = [given | values for values in many] if given else list(many)
        try:
            return driver_of(connection).executemany(text, rows).rowcount if rows else 0
        except sqlite3.Error as exc:
            raise DBAPIError.instance(text, None, exc, sqlite3.Error) from exc

    def _execute(self, connection: Connection, values: dict[str, Any]) -> sqlite3.Cursor:
        text, given = self._compiled
        return execute(driver_of(connection), text, given | values if given else values)

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        """Its text, and the parameters that have their value."""
        compiled = self.statement.compile(dialect=sqlite.dialect(paramstyle="named"))
        assert isinstance(compiled, SQLCompiler)
        given = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
        return str(compiled), given

    @cached_property
    def _row(self) -> Callable[[Iterable[Any]], Any]:
        """What makes a row of what the driver gives, which knows no booleans."""
        assert isinstance(self.statement, ReturnsRows)
        columns = list(self.statement.exported_columns)
        row: Any = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc]
        flags = [at for at, column in enumerate(columns) if isinstance(column.type, Boolean)]

        def make_with_flags(values: Iterable[Any]) -> Any:
            found = list(values)
            for at in flags:
                found[at] = None if found[at] is None else bool(found[at])
            return row._make(found)

        return make_with_flags if flags else row._make


def execute(driver: sqlite3.Connection, text: str, values: dict[str, Any] | tuple[()] = ()) -> sqlite3.Cursor:
    """Run a text of SQL; failures are those of Core."""
    try:
        return driver.execute(text, values)
    except sqlite3.Error as exc:
        raise DBAPIError.instance(text, values, exc, sqlite3.Error) from exc


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection behind one of Core."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
