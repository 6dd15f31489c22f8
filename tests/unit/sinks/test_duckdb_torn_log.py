"""A DuckDB file whose write-ahead log was torn by a loss of power is written on, and its log is kept as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.sinks.duckdb_file import DuckDB

WITHOUT_AN_END = """
import duckdb, os, sys
database = duckdb.connect(sys.argv[1])
database.execute("PRAGMA disable_checkpoint_on_shutdown")
for number in range(3):
    database.execute(f"CREATE TABLE t{number} AS SELECT range AS n FROM range({number + 1})")
os._exit(0)
"""


def left_behind(path: Path) -> Path:
    """The log of a file that three commits were written to, by a process that did not end."""
    subprocess.run([sys.executable, "-c", WITHOUT_AN_END, str(path)], check=True)
    return Path(f"{path}.wal")


def test_what_lies_before_the_torn_entry_is_there_and_the_log_as_it_was_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    log = left_behind(path)
    torn = bytearray(log.read_bytes())
    at = len(torn) * 9 // 10
    torn[at : at + 8] = bytes(8)
    log.write_bytes(torn)
    engine = DuckDB()
    with pytest.raises(SinkUnavailable, match="cannot be used"), engine.reading(path):
        pass
    with engine.writing(path) as file:
        rows = file.rows("SELECT count(*) FROM duckdb_tables()")
    assert rows == [(2,)]
    assert Path(f"{log}.torn").read_bytes() == torn
    with engine.reading(path) as file:
        assert file.rows("SELECT count(*) FROM t1") == [(2,)]


def test_a_file_that_is_damaged_itself_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    left_behind(path)
    os.truncate(path, 5000)
    with pytest.raises(SinkUnavailable), DuckDB().writing(path):
        pass
    assert not Path(f"{path}.wal.torn").exists()
