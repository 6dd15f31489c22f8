"""One row of an SQLite database as JSON, read in a process of its own: the file may be made to harm who opens it.

It gets the path, the name of our table behind that of its file, and the rowid as JSON on its standard input, needs
nothing but Python, and never writes: the database is opened as one that nobody changes, without its companions.
"""

from __future__ import annotations

import json
import re
import resource
import sqlite3
import sys
import time
from pathlib import Path

SECONDS = 5
MEMORY = 1 << 30
LONGEST = 1000
"""Characters of one value; bytes of a blob."""
MOST_CELL = 16 << 20
MOST_COLUMNS = 2000
_NOT_WORD = re.compile(r"[^0-9a-z]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def main() -> None:
    """Answer one question; an error goes to standard error, in one line."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    asked = json.load(sys.stdin)
    try:
        found = row_of(asked["path"], asked["table"], asked["rowid"])
    except (sqlite3.Error, MemoryError, LookupError) as exc:
        sys.exit(f"{exc}")
    json.dump(found, sys.stdout)


def row_of(path: str, table: str, rowid: int) -> dict[str, object]:
    """The row of the one table that goes by such a name; raises LookupError without one."""
    connection = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro&immutable=1", uri=True)
    until = time.monotonic() + SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_CELL)
    connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")
    listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0")
    names = [name for (name,) in listed if _is_called(name, table)]
    if len(names) != 1:
        raise LookupError(f"{len(names)} tables of the database go by that name")
    identifier = '"' + names[0].replace('"', '""') + '"'
    cursor = connection.execute(f"SELECT * FROM main.{identifier} NOT INDEXED WHERE rowid = ?", (rowid,))  # noqa: S608
    row = cursor.fetchone()
    if row is None:
        raise LookupError(f"there is no row {rowid} in {names[0]}")
    columns = [each[0] for each in cursor.description]
    return dict(list(zip(columns, map(_shown, row), strict=True))[:MOST_COLUMNS])


def _is_called(name: str, table: str) -> bool:
    """As `core.tables` names the tables of outputs; one of many shapes has six digits more."""
    words = _NOT_WORD.sub("_", _CAMEL.sub("_", name).lower()).strip("_")[:60].strip("_")
    return re.fullmatch(rf"(?:t_)?{re.escape(words)}(?:_[0-9a-f]{{6}})?", table) is not None


def _shown(value: object) -> object:
    if isinstance(value, bytes):
        return f"X'{value[:LONGEST].hex()}'"
    return value[:LONGEST] if isinstance(value, str) else value


if __name__ == "__main__":
    main()
