"""Turns a statement into text for the driver's own `executemany`, which is far faster than going through Core."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from itertools import chain
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ClauseElement

_PARAMETER = re.compile(r":(\w+)")
_POSITION = re.compile(r"\?(\d+)")
_AT_ONCE = 90
"""Rows in one statement: below the 999 parameters that every SQLite takes."""


class Bulk:
    """A statement whose parameters are given by position, in the order of `names`."""

    def __init__(self, statement: ClauseElement, *names: str) -> None:
        self._statement = statement
        self._names = names

    @cached_property
    def text(self) -> str:
        """It in SQLite's words, compiled when it is first run."""
        compiled = self._statement.compile(dialect=sqlite.dialect(paramstyle="named"))
        text_of = {name: f"?{number}" for number, name in enumerate(self._names, 1)}
        for name, value in compiled.params.items():
            if name not in text_of:
                # Only numbers that SQLAlchemy adds by itself, such as the offset that it puts beside every limit.
                assert isinstance(value, int), f"{name} is not among {self._names}"
                text_of[name] = str(int(value))
        return _PARAMETER.sub(lambda found: text_of[found[1]], str(compiled))


def insert_all(driver: sqlite3.Connection, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """Run an insert of one row for all of them, many in each step.

    A step lets go of the interpreter and beside busy threads waits to get it back: a step per row costs twice as much.
    """
    every = list(rows)
    whole = len(every) - len(every) % _AT_ONCE
    groups = (every[at : at + _AT_ONCE] for at in range(0, whole, _AT_ONCE))
    driver.executemany(_of_many_rows(statement), (tuple(chain.from_iterable(group)) for group in groups))
    driver.executemany(statement, every[whole:])


@cache
def _of_many_rows(insert: str) -> str:
    head, values = insert.split(" VALUES ")
    width = max(int(number) for number in _POSITION.findall(values))

    def row(at: int) -> str:
        return _POSITION.sub(lambda found: f"?{int(found[1]) + at * width}", values)

    return f"{head} VALUES {', '.join(map(row, range(_AT_ONCE)))}"
