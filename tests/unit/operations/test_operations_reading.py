"""A view of a home that is missing, in the making, or of another version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.settings import Home, Settings
from casparian_flow.store.tables import jobs


def read_jobs(home: Home) -> int:
    with open_reading(home, Settings(), home.path) as reading:
        return len(reading.connection.execute(select(jobs.c.id)).all())


def test_a_home_that_is_not_there_reads_as_empty_and_is_not_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert read_jobs(home) == 0
    assert not home.path.exists()


def test_a_database_that_another_process_is_making_reads_as_empty(tmp_path: Path) -> None:
    home = Home(tmp_path)
    maker = sqlite3.connect(home.state, isolation_level=None)
    maker.execute("PRAGMA journal_mode = WAL")
    maker.execute("BEGIN IMMEDIATE")
    maker.execute("CREATE TABLE alembic_version (version_num TEXT)")
    try:
        assert read_jobs(home) == 0
    finally:
        maker.close()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with sqlite3.connect(home.state) as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(VerificationFailed):
        read_jobs(home)
