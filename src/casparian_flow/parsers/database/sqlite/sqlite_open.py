"""Opens a database so that nothing in it can run and nothing near it is written: in place, or as a private copy."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from casparian_flow.sdk import PermanentError

MAGIC = b"SQLite format 3\0"
JOURNALS = ("-wal", "-journal")
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
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the database as its journals would leave it. The original is only read.

    Without journals it is read where it is, however large: `immutable` tells SQLite to take no lock, to look for no
    journal and to make no file. What a WAL holds, or an unfinished transaction, is applied to a copy in the working
    folder. Text arrives as bytes, since a database may hold text that is not UTF-8.
    """
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if not head:
        raise PermanentError("the file is empty")
    if head != MAGIC:
        raise PermanentError("not an SQLite database, or an encrypted one: it does not begin with SQLite's header")
    suffixes = [suffix for suffix in JOURNALS if _says_something(_beside(path, suffix))]
    if not suffixes:
        with _connected(f"{path.absolute().as_uri()}?mode=ro&immutable=1") as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix="sqlite-", dir=Path.cwd()) as scratch:
        copy = Path(scratch) / "database"
        _copy(path, copy)
        for suffix in suffixes:
            _copy(_beside(path, suffix), _beside(copy, suffix))
        with _connected(copy.as_uri()) as connection:
            yield connection


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _says_something(journal: Path) -> bool:
    """Whether it holds anything: a finished transaction leaves it gone, empty, or with a zero in front."""
    if not journal.is_file():
        return False
    with journal.open("rb") as file:
        first = file.read(1)
    return first not in (b"", b"\0")


def _copy(original: Path, copy: Path) -> None:
    try:
        shutil.copyfile(original, copy)
    except OSError as error:
        if error.errno not in (errno.EFBIG, errno.ENOSPC):
            raise
        raise PermanentError(
            f"{original.name} is too large to be copied, which its journals ask for: only a copy may be changed by"
            " them; apply them to a copy of your own (sqlite3 COPY 'PRAGMA wal_checkpoint(TRUNCATE)') and read that"
        ) from error


@contextmanager
def _connected(address: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
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
