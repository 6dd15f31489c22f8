"""The type names of contracts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.core.errors import UsageError
from casparian_flow.core.types import COMPOUND_TYPES, MAX_DEPTH, SIMPLE_TYPES, ColumnType, parse_type

LEAVES = st.one_of(
    st.sampled_from(sorted(SIMPLE_TYPES)).map(ColumnType),
    st.integers(1, 38).flatmap(
        lambda precision: st.integers(0, precision).map(lambda scale: ColumnType("decimal", (precision, scale)))
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "+02:00"]).map(lambda zone: ColumnType("timestamp_tz", (zone,))),
)
TYPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda item: ColumnType("list", (), (("item", item),))),
        st.lists(st.tuples(st.sampled_from(["a", "b_c", "d1"]), inner), min_size=1, max_size=3).map(
            lambda fields: ColumnType("struct", (), tuple(fields))
        ),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("text", ["decimal", "timestamp_tz", "list", "whole"])
def test_what_is_no_type_is_answered_with_every_type_in_its_form(text):
    with pytest.raises(UsageError, match="unknown type") as refused:
        parse_type(text)
    named = refused.value.fix.removeprefix("one of: ")
    for example in COMPOUND_TYPES:
        assert str(parse_type(example)) == example and example in named
        named = named.replace(example, "")
    assert set(named.split()) == SIMPLE_TYPES


@given(TYPES)
def test_what_a_type_is_written_as_is_read_as_the_same_type(column_type):
    assert parse_type(str(column_type)) == column_type


@pytest.mark.parametrize(
    ("text", "column_type"),
    [
        (" int64 ", ColumnType("int64")),
        ("decimal( 9 , 2 )", ColumnType("decimal", (9, 2))),
        ("list< string >", ColumnType("list", (), (("item", ColumnType("string")),))),
        (
            "struct<a: int64, b: list<struct<c: decimal(3,1), d: date>>>",
            ColumnType(
                "struct",
                (),
                (
                    ("a", ColumnType("int64")),
                    (
                        "b",
                        ColumnType(
                            "list",
                            (),
                            (
                                (
                                    "item",
                                    ColumnType(
                                        "struct",
                                        (),
                                        (("c", ColumnType("decimal", (3, 1))), ("d", ColumnType("date"))),
                                    ),
                                ),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ],
)
def test_types_are_read_with_any_spacing(text, column_type):
    assert parse_type(text) == column_type


@pytest.mark.parametrize(
    "text",
    [
        "",
        "int",
        "INT64",
        "decimal",
        "decimal(0,0)",
        "decimal(39,0)",
        "decimal(3,4)",
        "list<>",
        "list<int64",
        "struct<a>",
        "timestamp_tz()",
        "timestamp_tz(a b)",
        "list<int64>>",
        "struct<a: nope>",
    ],
)
def test_what_is_no_type_is_refused(text):
    with pytest.raises(UsageError):
        parse_type(text)


def test_nesting_has_an_end():
    parse_type("list<" * MAX_DEPTH + "int64" + ">" * MAX_DEPTH)
    with pytest.raises(UsageError, match="deeper"):
        parse_type("list<" * 10_000 + "int64" + ">" * 10_000)
