"""A private copy of a database with its journals, opened so that nothing in it can run or write."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from casparian_flow.sdk import PermanentError

MAGIC = b"SQLite format 3\0"
COMPANIONS = ("-wal", "-journal")
HARDENING = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "mmap_size = 0",
    "cache_size = -16384",
    "temp_store = FILE",
)
LONGEST_CELL = 48 << 20
"""Longer values are refused by SQLite itself: a generated column can claim a gigabyte in a few bytes."""


@contextmanager
def open_copy(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a copy of the database; what its WAL holds is part of it. The original is only read.

    Text arrives as bytes, since a database may hold text that is not UTF-8.
    """
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if not head:
        raise PermanentError("the file is empty")
    if head != MAGIC:
        raise PermanentError("not an SQLite database, or an encrypted one: it does not begin with SQLite's header")
    with tempfile.TemporaryDirectory(prefix="sqlite-", dir=Path.cwd()) as scratch:
        copy = Path(scratch) / "database"
        shutil.copyfile(path, copy)
        for suffix in COMPANIONS:
            companion = path.with_name(path.name + suffix)
            if companion.is_file():
                shutil.copyfile(companion, copy.with_name(copy.name + suffix))
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.text_factory = bytes
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)
            try:
                for pragma in HARDENING:
                    connection.execute(f"PRAGMA {pragma}")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                connection.execute("PRAGMA query_only = ON")
            except sqlite3.DatabaseError as error:
                raise PermanentError(f"SQLite cannot open it: {error}") from error
            except UnicodeDecodeError as error:  # SQLite quotes a name of the list of tables as it found it
                raise PermanentError("SQLite cannot open it: its list of tables is damaged") from error
            yield connection
