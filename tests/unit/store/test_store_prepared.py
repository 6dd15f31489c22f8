"""Statements that the driver runs by itself give and refuse what Core's would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from builders import HomeBuilder
from casparian_flow.core.errors import HomeUnavailable
from casparian_flow.store.database import Database
from casparian_flow.store.prepared import Prepared, execute
from casparian_flow.store.tables import locations, meta

ADD = Prepared(insert(meta).values(key=bindparam("name"), value=bindparam("its_value")))
ALL = Prepared(select(meta.c.key, meta.c.value).order_by(meta.c.key))
FIND = Prepared(select(meta.c.value).where(meta.c.key == bindparam("name")))
SET = Prepared(update(meta).where(meta.c.key == bindparam("name")).values(value="other"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with HomeBuilder(tmp_path / "home") as home:
        yield home.database


def test_rows_are_named_and_changes_are_counted(database: Database) -> None:
    with database.transaction() as connection:
        ADD.run_all(connection, [{"name": "b", "its_value": "2"}, {"name": "a", "its_value": "1"}])
        assert [(row.key, row.value) for row in ALL.rows(connection)] == [("a", "1"), ("b", "2")]
        assert (SET.run(connection, name="a"), SET.run(connection, name="c")) == (1, 0)
        found = FIND.row(connection, name="a")
        assert found is not None and found.value == "other" and FIND.row(connection, name="c") is None


def test_booleans_are_booleans(tmp_path: Path) -> None:
    statement = Prepared(select(locations.c.is_dirty, locations.c.is_missing, locations.c.size))
    with HomeBuilder(tmp_path / "home") as home:
        home.location(home.source(), size=1)
        with home.database.transaction() as connection:
            [row] = statement.rows(connection)
    assert row == (True, False, 1) and row.is_dirty is True and row.is_missing is False


def test_failures_are_those_of_core(database: Database) -> None:
    with database.transaction() as connection:
        ADD.run(connection, name="a", its_value="1")
        with pytest.raises(IntegrityError):
            ADD.run(connection, name="a", its_value="2")
        with pytest.raises(IntegrityError):
            ADD.run_all(connection, [{"name": "a", "its_value": "2"}])
        with pytest.raises(OperationalError):
            execute(database.driver, "SELECT nothing FROM nowhere")


def test_a_transaction_inside_another_is_taken_back_alone(database: Database) -> None:
    with database.transaction() as connection:
        ADD.run(connection, name="outer", its_value="1")
        with pytest.raises(KeyError), database.transaction():
            ADD.run(connection, name="inner", its_value="1")
            with database.transaction():
                ADD.run(connection, name="innermost", its_value="1")
            raise KeyError
    with database.transaction() as connection:
        assert [row.key for row in ALL.rows(connection)] == ["outer"]


def test_what_the_disk_refused_inside_another_transaction_is_told_as_that(database: Database) -> None:
    with pytest.raises(HomeUnavailable) as refused, database.transaction() as connection:
        execute(database.driver, "PRAGMA max_page_count = 1")
        with database.transaction():
            ADD.run(connection, name="large", its_value="x" * 10_000_000)
    assert (refused.value.where, refused.value.why) == (str(database.path), "the disk is full (SQLITE_FULL)")
