"""Which table a file founds or joins."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.core.tables import (
    MAX_NAME,
    choose_table,
    is_same_table,
    shape_suffix,
    snake_case,
    table_from_file_name,
)


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("fw_2026-03-02.csv", "fw"),
        ("fw-20260302T101500Z.csv", "fw"),
        ("fw_2026_03.csv", "fw"),
        ("access.log.1", "access"),
        ("Orders (2).CSV", "orders"),
        ("sales_part3.csv", "sales"),
        ("sales-part-0003.parquet", "sales"),
        ("sales_old.bak", "sales"),
        ("SalesOrders2024.csv", "sales_orders"),
        ("HTTPServer.log", "http_server"),
        ("2026.csv", "t_2026"),
        ("2026-03-02.csv", "t_2026_03_02"),
        ("7zip_list.txt", "t_7zip_list"),
        ("cf_verdicts.csv", "t_cf_verdicts"),
        ("Schema Drift 2026.csv", "t_schema_drift"),
        ("日本語.csv", "t"),
        (".bashrc", "bashrc"),
        ("noextension", "noextension"),
        ("a/b/c.csv", "c"),
        ("part1.csv", "part1"),
        ("system.evtx", "system"),
        ("archive.tar.gz", "archive"),
        ("", "t"),
        ("...", "t"),
    ],
)
def test_the_table_of_a_file_is_its_stem_without_what_changes_from_file_to_file(file, table):
    assert table_from_file_name(file) == table


@given(st.text())
def test_every_file_name_gives_a_name_that_every_sink_can_hold(name):
    table = table_from_file_name(name)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", table)
    assert len(table) <= MAX_NAME + 2


@given(st.text())
def test_snake_case_of_snake_case_changes_nothing(name):
    assert snake_case(snake_case(name)) == snake_case(name)


@given(st.lists(st.text(max_size=5), unique=True), st.randoms())
def test_the_suffix_of_a_shape_does_not_depend_on_the_order(columns, random):
    shuffled = random.sample(columns, len(columns))
    assert shape_suffix(shuffled) == shape_suffix(columns)
    assert re.fullmatch(r"[0-9a-f]{6}", shape_suffix(columns))


def test_half_of_the_contracts_columns_make_the_same_table():
    assert is_same_table("ab", "abcd", headerless=False)
    assert not is_same_table("axyz", "abcd", headerless=False)
    assert is_same_table("abcdefgh", "ab", headerless=False)


def test_without_a_header_the_number_of_columns_decides():
    assert is_same_table("xy", "ab", headerless=True)
    assert not is_same_table("xyz", "ab", headerless=True)


def test_a_file_joins_the_table_that_shares_most_columns():
    contracts = {"a": ["wx"], "a__0123ab": ["wxyz"], "b": ["wxyz"], "a__nothex": ["wxyz"]}
    assert choose_table("a", "wxyz", contracts, headerless=False) == "a__0123ab"
    assert choose_table("a", "wx", contracts, headerless=False) == "a"
    assert choose_table("a", "mnop", contracts, headerless=False) is None
    assert choose_table("c", "wxyz", contracts, headerless=False) is None


def test_a_base_name_with_pattern_characters_is_taken_literally():
    assert choose_table("a.", "x", {"ab__0123ab": ["x"]}, headerless=False) is None


def test_a_file_with_the_names_of_before_belongs_to_the_table_whose_columns_were_renamed() -> None:
    older = {"fw": {"a": "x", "b": "y"}}
    assert choose_table("fw", ["a", "b"], {"fw": [["x", "y"]]}, headerless=False) is None
    assert choose_table("fw", ["a", "b"], {"fw": [["x", "y"]]}, headerless=False, older=older) == "fw"


def test_a_file_belongs_to_the_table_that_took_its_shape_under_an_earlier_contract() -> None:
    shapes = {"fw": [["id", "day", "a", "b", "c"], ["id", "day"]], "fw__0123ab": [["id", "day"]]}
    assert choose_table("fw", ["id", "day"], shapes, headerless=False) == "fw"
    assert choose_table("fw", ["x", "y"], shapes, headerless=True) == "fw"
    assert choose_table("fw", ["x", "y", "z"], shapes, headerless=True) is None
