from __future__ import annotations

import duckdb
import pytest

from casparian_flow.sentinel.console.dependency import complete_groupings

KEYS = {"v": ("id", "hash", "size")}


def answer(query: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE v AS SELECT * FROM (VALUES (1, 'a', 10), (2, 'b', 20)) t(id, hash, size)")
        connection.execute("CREATE TABLE j AS SELECT * FROM (VALUES (1), (1), (2)) t(v)")
        return connection.execute(complete_groupings(query, KEYS)).fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT v.id, v.hash, count(j.v) FROM v JOIN j ON j.v = v.id GROUP BY v.id ORDER BY v.size",
        "SELECT x.id, hash, count(j.v) FROM V x LEFT JOIN j ON j.v = x.id GROUP BY X.ID ORDER BY size",
        "SELECT * FROM (SELECT v.id, v.hash, count(*) FROM v JOIN j ON j.v = v.id GROUP BY v.id) ORDER BY 1",
    ],
)
def test_a_key_brings_the_columns_that_depend_on_it(query: str) -> None:
    assert answer(query) == [(1, "a", 2), (2, "b", 1)]


def test_a_single_table_needs_no_qualified_key() -> None:
    assert answer("SELECT hash, count(*) FROM v GROUP BY id ORDER BY 1") == [("a", 1), ("b", 1)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT hash FROM v",
        "SELECT v.hash, count(*) FROM v GROUP BY v.hash",
        "SELECT id, hash FROM j JOIN v ON true GROUP BY id",
        "WITH v AS (SELECT 1 AS id) SELECT id FROM v GROUP BY id",
        "SELECT id, count(*) FROM v GROUP BY ROLLUP (id)",
        "SELECT id, count(*) FROM v GROUP BY ALL",
        "not a query",
    ],
)
def test_every_other_query_stays_as_it_was_written(query: str) -> None:
    assert complete_groupings(query, KEYS) == query
