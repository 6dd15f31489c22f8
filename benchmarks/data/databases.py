"""A made-up SQLite database of one table, fast to write and the same every time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.csv

from benchmarks.data.delimited import write_small_csv

_PATTERN_ROWS = 100_000
_UNSAFE = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -65536")
"""Nobody needs this file after a crash."""


def write_database(path: Path, size: int) -> int:
    """A file of about `size` bytes whose only table `flows` has the columns of the CSV files; how many rows it has.

    The rows after the first hundred thousand repeat them under ids of their own: SQLite copies them without Python.
    """
    pattern = path.with_suffix(".csv")
    write_small_csv(pattern, _PATTERN_ROWS, seed=1)
    table = pyarrow.csv.read_csv(pattern)
    pattern.unlink()
    names = table.column_names
    columns = [column.cast("string") if _is_time(column.type) else column for column in table.columns]
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in _UNSAFE:
            database.execute(f"PRAGMA {pragma}")
        database.execute(f"CREATE TABLE flows (id INTEGER PRIMARY KEY, {', '.join(names[1:])})")
        database.execute("BEGIN")
        database.executemany(f"INSERT INTO flows VALUES ({', '.join('?' * len(names))})", rows)
        database.execute("COMMIT")
        (per_pattern,) = database.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        copies = max(1, round(size / per_pattern[0]))
        for number in range(1, copies):
            database.execute(
                f"INSERT INTO flows SELECT id + ?, {', '.join(names[1:])} FROM flows WHERE id <= ?",
                (number * _PATTERN_ROWS, _PATTERN_ROWS),
            )
    return copies * _PATTERN_ROWS


def _is_time(kind: object) -> bool:
    return str(kind).startswith(("date", "timestamp"))
