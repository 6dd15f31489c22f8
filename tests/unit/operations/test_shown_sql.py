from __future__ import annotations

import duckdb
import pytest

from casparian_flow.operations.query.shown_sql import RESERVED, first_rows


def test_a_plain_name_stands_bare() -> None:
    assert first_rows("orders") == 'casparian sql "SELECT * FROM orders LIMIT 10"'


@pytest.mark.parametrize("table", ["order", "table", "2024"])
def test_a_name_that_is_no_identifier_is_quoted(table: str) -> None:
    assert first_rows(table) == f"casparian sql 'SELECT * FROM \"{table}\" LIMIT 10'"


def test_the_reserved_words_are_those_of_duckdb() -> None:
    words = duckdb.sql("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'").fetchall()

    assert {word for (word,) in words} <= RESERVED
