"""A file with more tables than a process may usually hold files open."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from product import SOURCE, Product

pytestmark = pytest.mark.usefixtures("warm_guests")

TABLES = 400
SOFT_LIMIT = 256


LIMITED = ("sh", "-c", f'ulimit -Sn {SOFT_LIMIT}; exec "$@"', "sh")
MANY_MAY_BE_OPEN = pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4 * TABLES, reason="the hard limit of open files is too low here"
)


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A folder with one database of many tables."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    with sqlite3.connect(folder / "many.db") as database:
        for number in range(TABLES):
            database.execute(f"CREATE TABLE part_{number} (a INTEGER, b TEXT)")
            database.execute(f"INSERT INTO part_{number} VALUES ({number}, 'x')")
    database.close()
    return folder


@pytest.mark.slow
@MANY_MAY_BE_OPEN
def test_a_database_of_many_tables_lands_whole_under_a_low_limit_of_open_files(evidence: Path, tmp_path: Path) -> None:
    limited = Product(tmp_path / "home", through=LIMITED)
    reply = limited.run(str(evidence), expect=[0])
    assert (reply["completed"], reply["accepted"]) == (1, TABLES)
    assert len(limited.tables()) == TABLES


@MANY_MAY_BE_OPEN
@pytest.mark.slow
def test_such_a_database_is_read_from_python_and_holds_no_file_open(evidence: Path) -> None:
    code = "import casparian_flow as cf, os, sys; tables = cf.read(sys.argv[1]).tables; "
    code += "print(len(tables), sum(each.num_rows for each in tables.values()), len(os.listdir('/proc/self/fd')) < 20)"
    arguments = [*LIMITED, sys.executable, "-c", code, str(evidence / "many.db")]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=100)
    assert done.stdout == f"{TABLES} {TABLES} True\n", done.stderr
