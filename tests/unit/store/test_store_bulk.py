"""Statements for the driver itself, whose parameters are given by position."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import bindparam, literal_column, select

from casparian_flow.store import inventory, settling, tags, versions
from casparian_flow.store.bulk import Bulk
from casparian_flow.store.database import Database
from casparian_flow.store.tables import locations


def every() -> Iterator[tuple[str, Bulk]]:
    for module in (inventory, settling, tags, versions):
        for name, value in vars(module).items():
            if isinstance(value, Bulk):
                yield f"{module.__name__}.{name}", value


def test_nothing_is_compiled_before_it_is_run() -> None:
    statement = Bulk(select(locations.c.id).where(locations.c.source_id == bindparam("source")), "source")
    assert "text" not in vars(statement)
    assert statement.text.endswith("= ?1")
    assert statement.text is statement.text


def test_a_parameter_without_a_place_is_refused() -> None:
    nameless = Bulk(select(literal_column("1")).where(locations.c.rel_path == bindparam("path", b"x")))
    with pytest.raises(AssertionError, match="path"):
        nameless.text  # noqa: B018


def test_each_of_them_is_one_that_the_database_takes(tmp_path: Path) -> None:
    statements = dict(every())
    assert len(statements) > 30
    with closing(Database(tmp_path / "state.sqlite3")) as database:
        for name, statement in statements.items():
            places = {int(place) for place in re.findall(r"\?(\d+)", statement.text)}
            assert places == set(range(1, len(places) + 1)), name
            database.driver.execute(f"EXPLAIN {statement.text}", (None,) * len(places))
