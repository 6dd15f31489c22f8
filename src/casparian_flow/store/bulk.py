"""Turns a statement into text for the driver's own `executemany`, which is far faster than going through Core."""

from __future__ import annotations

import re

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ClauseElement

_PARAMETER = re.compile(r":(\w+)")


def bulk(statement: ClauseElement, *names: str) -> str:
    """SQLite's text of a statement whose parameters are given by position, in the order of `names`."""
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    text_of = {name: f"?{number}" for number, name in enumerate(names, 1)}
    for name, value in compiled.params.items():
        if name not in text_of:
            # Only numbers that SQLAlchemy adds by itself, such as the offset that it puts beside every limit.
            assert isinstance(value, int), f"{name} is not among {names}"
            text_of[name] = str(int(value))
    return _PARAMETER.sub(lambda found: text_of[found[1]], str(compiled))
