"""A file with more tables than a process may usually hold files open."""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import pytest

from product import Product

TABLES = 400
SOFT_LIMIT = 256


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4 * TABLES, reason="the hard limit of open files is too low here"
)
def test_a_database_of_many_tables_lands_whole_under_a_low_limit_of_open_files(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    with sqlite3.connect(folder / "many.db") as database:
        for number in range(TABLES):
            database.execute(f"CREATE TABLE part_{number} (a INTEGER, b TEXT)")
            database.execute(f"INSERT INTO part_{number} VALUES ({number}, 'x')")
    database.close()
    limited = Product(tmp_path / "home", through=("sh", "-c", f'ulimit -Sn {SOFT_LIMIT}; exec "$@"', "sh"))
    reply = limited.run(str(folder), expect=[0])
    assert (reply["completed"], reply["accepted"]) == (1, TABLES)
    assert len(limited.tables()) == TABLES
