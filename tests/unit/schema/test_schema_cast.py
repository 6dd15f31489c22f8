"""Columns in other types than their contract's: cast where nothing changes, masked where something would."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.errors import UsageError
from casparian_flow.schema.cast import cast_column
from casparian_flow.schema.layouts import layout, layouts

FAILED = object()


def cast(array: Any, type_name: str, pattern: str | None = None, *, tagged: bool = False) -> list[Any]:
    """The values after a cast, FAILED where one did not fit."""
    source = array if isinstance(array, pa.Array) else pa.array(array, pa.string())
    values, failed = cast_column(source, ContractColumn("c", type_name, format=pattern), tagged=tagged)
    values.validate(full=True)
    mask = [False] * len(source) if failed is None else failed.tolist()
    return [FAILED if bad else value for value, bad in zip(values.to_pylist(), mask, strict=True)]


@pytest.mark.parametrize(
    ("source", "type_name", "expected"),
    [
        (pa.array([1, None, -(2**53)]), "float64", [1.0, None, -(2.0**53)]),
        (pa.array([2**53 + 1, 2**53 + 2, None]), "float64", [FAILED, 2.0**53 + 2, None]),
        (pa.array([1.0, 2.5, None, float("nan")]), "int64", [1, FAILED, None, FAILED]),
        (pa.array([1e300, 1e18, 1e15]), "int64", [FAILED, FAILED, 10**15]),
        (pa.array([1, 200]), "decimal(4,2)", [Decimal("1.00"), FAILED]),
        (pa.array([0.1, 0.125]), "decimal(3,2)", [Decimal("0.10"), FAILED]),
        (pa.array([Decimal("1.10"), Decimal("2.00")]), "int64", [FAILED, 2]),
        (pa.array([Decimal("1.10")]), "float64", [1.1]),
        (pa.array([Decimal("12345678901234567.89")]), "float64", [FAILED]),
        (pa.array([Decimal("1.10")]), "decimal(20,5)", [Decimal("1.10000")]),
        (pa.array([Decimal("1.15")]), "decimal(3,1)", [FAILED]),
        (pa.array([True, None]), "int64", [FAILED, None]),
        (pa.array([True, None]), "string", ["true", None]),
        (pa.array([1.5, 1e20]), "string", ["1.5", "1e+20"]),
        (pa.array([Decimal("0.00000001"), None]), "string", ["0.00000001", None]),
        (pa.array([date(2024, 1, 31)]), "string", ["2024-01-31"]),
        (pa.array([date(2024, 1, 31)]), "timestamp", [FAILED]),
        (pa.array([datetime(2024, 1, 31, 10)], pa.timestamp("ns")), "string", ["2024-01-31 10:00:00"]),
        (pa.array([datetime(2024, 1, 31, 10, 0, 0, 500_000)], pa.timestamp("ns")), "string", ["2024-01-31 10:00:00.5"]),
        (pa.array([0], pa.timestamp("ns", "Europe/Rome")), "string", ["1970-01-01 00:00:00Z"]),
        (pa.array([b"\xff"]), "string", [FAILED]),
        (pa.array([1, 2]), "boolean", [FAILED, FAILED]),
        (pa.array([[1]]), "json", ["[1]"]),
        (pa.array([1.5, None]), "json", ["1.5", None]),
        (pa.array([date(2024, 1, 31)]), "json", ['"2024-01-31"']),
        (pa.nulls(2, pa.int64()), "date", [None, None]),
    ],
)
def test_typed_columns_change_type_only_where_no_value_changes(
    source: pa.Array, type_name: str, expected: list[Any]
) -> None:
    assert cast(source, type_name) == expected


def test_instants_move_between_zones() -> None:
    column = pa.array([0], pa.timestamp("ns", "UTC"))
    values, failed = cast_column(column, ContractColumn("c", "timestamp_tz(+02:00)"))
    assert failed is None
    assert values.type == pa.timestamp("ns", "+02:00")
    assert values.cast(pa.int64()).to_pylist() == [0]


@pytest.mark.parametrize(
    ("cells", "type_name", "expected"),
    [
        (['"a', "1", None], "string", ["a", FAILED, None]),
        (["1", '"1', "1.5"], "int64", [1, FAILED, FAILED]),
        (["1", "2.5"], "float64", [1.0, 2.5]),
        (["true", '"true', "null"], "boolean", [True, FAILED, FAILED]),
        (['"2024-01-31', "2024"], "date", [date(2024, 1, 31), FAILED]),
        (['"say "hi"', '"plain', "[1]", None], "json", [r'"say \"hi\""', '"plain"', "[1]", None]),
        (['"tab\there'], "json", [r'"tab\there"']),
        (["[1,2]", "[1.5]", '["x"]', "{}", '"[1]'], "list<int64>", [[1, 2], FAILED, FAILED, FAILED, FAILED]),
        (
            ['{"a":1,"b":"x"}', '{"a":1}', '{"a":1,"z":0}', "[]"],
            "struct<a: int64, b: string>",
            [{"a": 1, "b": "x"}, {"a": 1, "b": None}, FAILED, FAILED],
        ),
        (['"x'], "duration", [FAILED]),
        (["null", "[1]"], "list<int64>", [FAILED, [1]]),
        (["null", '{"a":1}'], "struct<a: int64>", [FAILED, {"a": 1}]),
        (["[1.5,2,null]", "[true]", "[9007199254740993]"], "list<float64>", [[1.5, 2.0, None], FAILED, FAILED]),
    ],
)  # fmt: skip
def test_json_values_are_cast_by_their_kind(cells: list[str | None], type_name: str, expected: list[Any]) -> None:
    assert cast(cells, type_name, tagged=True) == expected


@pytest.mark.parametrize(
    ("text", "pattern", "type_name", "expected"),
    [
        ("31/Jan/2024:10:00:00 +0200", "%d/%b/%Y:%H:%M:%S %z", "timestamp_tz(UTC)", "2024-01-31 08:00:00Z"),
        ("31-JAN-24", "%d-%b-%y", "date", "2024-01-31"),
        ("20240131", "%Y%m%d", "date", "2024-01-31"),
        ("10.30", "%H.%M", "time", "10:30:00"),
        ("31-XXX-24", "%d-%b-%y", "date", None),
        ("31-jan-69", "%d-%b-%y", "date", "1969-01-31"),
    ],
)
def test_declared_formats_are_read(text: str, pattern: str, type_name: str, expected: str | None) -> None:
    values, _ = cast_column(pa.array([text]), ContractColumn("c", type_name, format=pattern))
    shown, _ = cast_column(values, ContractColumn("c", "string"))
    assert shown.to_pylist() == [expected]


@pytest.mark.parametrize("pattern", ["%A %d", "%z%Y", "%Y-%m-%d %", "%é"])
def test_a_format_that_cannot_be_read_says_where(pattern: str) -> None:
    with pytest.raises(UsageError, match="format"):
        layout(pattern)


@pytest.mark.parametrize(
    ("type_name", "pattern"),
    [
        ("date", "%H:%M"),
        ("time", "%Y"),
        ("timestamp", "%Y-%m-%d"),
        ("timestamp_tz", "%Y-%m-%d %H"),
        ("date", "%Y%m%d%d"),
    ],
)
def test_a_format_must_say_what_its_type_needs(type_name: str, pattern: str) -> None:
    with pytest.raises(UsageError, match="does not describe"):
        layouts(type_name, pattern)


def test_plain_text_under_json_must_be_json() -> None:
    assert cast(["[1]", "1", "x", None], "json") == ["[1]", "1", FAILED, None]
    assert cast(["[" * 100_000], "json") == [FAILED]
    assert cast(['{"a":01}', "[1,]", '"\\q"', "NaN", ""], "json") == [FAILED] * 5


def test_very_long_texts_are_no_numbers() -> None:
    long = "1" + "0" * 10_000_000
    assert cast([long, "1"], "int64") == [FAILED, 1]
    assert cast([long, "1." + "0" * 70, "1.0"], "float64") == [FAILED, FAILED, 1.0]
    assert cast([long, "1"], "decimal(38,0)") == [FAILED, Decimal(1)]


def test_a_number_with_more_digits_than_a_decimal_can_rescale_is_not_wrapped() -> None:
    assert cast(["288230376151711629", "0.5"], "decimal(34,34)") == [FAILED, Decimal("0.5")]
    assert cast(pa.array([288230376151711629]), "decimal(34,34)") == [FAILED]
    assert cast(pa.array([Decimal(288230376151711629)], pa.decimal128(20, 0)), "decimal(34,34)") == [FAILED]


def test_a_fraction_stands_only_behind_seconds_at_the_end() -> None:
    assert cast(["10:00:00h", "10:00:00h.5"], "time", "%H:%M:%Sh")[1] is FAILED
    assert cast(["10:00:00.5", "10:00:00."], "time", "%H:%M:%S")[1] is FAILED
