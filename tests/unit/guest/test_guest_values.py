"""Python values as Arrow columns: typed where they agree, as JSON text where they do not, never changed."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.guest.problems import BadYield
from casparian_flow.guest.values import typed_column
from casparian_flow.sdk.emit import FIELD_ENCODING

UTC = dt.UTC


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 2], pa.int64()),
        ([1.5, 2], pa.float64()),
        (["a", None], pa.string()),
        ([True, False], pa.bool_()),
        ([b"\xff"], pa.binary()),
        ([None, None], pa.null()),
        ([[1, 2], None, []], pa.list_(pa.int64())),
        ([("a",)], pa.list_(pa.string())),
        ([dt.date(2024, 1, 2)], pa.date32()),
        ([dt.datetime(2024, 1, 2, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        ([Decimal("1.50")], pa.decimal128(3, 2)),
    ],
)
def test_values_of_one_kind_get_that_type(values: list[Any], kind: pa.DataType) -> None:
    field, column = typed_column("c", values)
    assert (field.type, column.type, field.metadata) == (kind, kind, None)
    assert len(column) == len(values)


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ([2**70, 1, None], ["1180591620717411303424", "1", None]),
        ([1, "x", None], ["1", '"x', None]),
        ([1, True], ["1", "true"]),
        ([2**53 + 1, 0.5], ["9007199254740993", "0.5"]),
        ([{"b": 1, "a": [None]}], ['{"b":1,"a":[null]}']),
        ([[1, "x"], [2]], ['[1,"x"]', "[2]"]),
        ([[{"a": 1}]], ['[{"a":1}]']),
        ([float("nan"), "x"], ['"nan', '"x']),
        ([dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3)], ['"2024-01-02', '"2024-01-02T03:00:00']),
        ([{"at": dt.date(2024, 1, 2)}], ['{"at":"2024-01-02"}']),
    ],
)
def test_values_of_several_kinds_become_json_text(values: list[Any], cells: list[str | None]) -> None:
    field, column = typed_column("c", values)
    assert field.type == pa.string()
    assert field.metadata == {FIELD_ENCODING: b"json"}
    assert column.to_pylist() == cells


def test_a_json_string_is_tagged_and_otherwise_unchanged() -> None:
    _, column = typed_column("c", ['say "hi"\n', 1])
    assert column[0].as_py() == '"say "hi"\n'
    assert json.loads(column[1].as_py()) == 1


def test_naive_and_aware_times_are_not_mixed_into_one_type() -> None:
    field, _ = typed_column("c", [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=UTC)])
    assert field.metadata == {FIELD_ENCODING: b"json"}


@pytest.mark.parametrize("values", [["\ud800"], [object()], [b"x", "y"], [{"a": b"x"}]])
def test_what_no_column_can_hold_is_refused_by_name(values: list[Any]) -> None:
    with pytest.raises(BadYield, match="'size'"):
        typed_column("size", values)
