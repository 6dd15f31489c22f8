from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from casparian_flow.store.database import Database
from casparian_flow.store.engine import open_read_only

MAKE = text("CREATE TABLE noted (word TEXT)")
NOTE = text("INSERT INTO noted VALUES (:word)")


def a_database(path: Path) -> Database:
    database = Database(path)
    with database.transaction() as connection:
        connection.execute(MAKE)
    return database


def note(database: Database, word: str) -> None:
    with database.transaction() as connection:
        connection.execute(NOTE, {"word": word})


def words(path: Path) -> list[str]:
    with open_read_only(path) as connection:
        return list(connection.execute(text("SELECT word FROM noted ORDER BY word")).scalars())


def test_transactions_taken_together_become_visible_at_once(tmp_path: Path) -> None:
    path = tmp_path / "state"
    database = a_database(path)
    with database.together():
        note(database, "a")
        note(database, "b")
        assert words(path) == []
    assert words(path) == ["a", "b"]
    database.close()


def test_a_transaction_that_fails_among_others_takes_back_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "state"
    database = a_database(path)
    with database.together():
        note(database, "a")
        with pytest.raises(ValueError, match="no"), database.transaction() as connection:
            connection.execute(NOTE, {"word": "b"})
            raise ValueError("no")
        note(database, "c")
    assert words(path) == ["a", "c"]
    database.close()


def test_nothing_remains_when_the_whole_fails(tmp_path: Path) -> None:
    path = tmp_path / "state"
    database = a_database(path)
    with pytest.raises(ValueError, match="no"), database.together():
        note(database, "a")
        raise ValueError("no")
    note(database, "b")
    assert words(path) == ["b"]
    database.close()
