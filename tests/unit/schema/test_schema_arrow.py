"""Arrow types in and out of the contract language."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import ParserFailed, UsageError
from casparian_flow.schema.arrow import arrow_schema, arrow_type, normalise, type_name
from casparian_flow.sdk.emit import FIELD_TYPE

NAMES = [
    "boolean", "int64", "float64", "decimal(10,2)", "date", "time", "timestamp", "timestamp_tz(UTC)",
    "timestamp_tz(Europe/Rome)", "timestamp_tz(+02:00)", "duration", "string", "binary", "list<int64>",
    "struct<a: int64, b: list<decimal(38,0)>>", "list<struct<x: timestamp_tz(UTC)>>",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_type_name_survives_the_way_through_arrow(name: str) -> None:
    assert type_name(arrow_type(name)) == name


def test_json_is_text_with_a_mark_beside_it() -> None:
    schema = arrow_schema(Contract("t", 1, (ContractColumn("a", "json", False), ContractColumn("b", "string"))))
    assert schema.types == [pa.string(), pa.string()]
    assert schema.field("a").metadata == {FIELD_TYPE: b"json"}
    assert (schema.field("a").nullable, schema.field("b").metadata) == (False, None)


def test_an_unknown_type_name_is_refused() -> None:
    with pytest.raises(UsageError, match="integer"):
        arrow_type("integer")


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pa.array([1, 2], pa.int8()), pa.int64(), [1, 2]),
        (pa.array([1], pa.uint64()), pa.int64(), [1]),
        (pa.array([2**64 - 1, None], pa.uint64()), pa.decimal128(20, 0), [Decimal(2**64 - 1), None]),
        (pa.array([0.5], pa.float32()), pa.float64(), [0.5]),
        (pa.array(["a"], pa.large_string()), pa.string(), ["a"]),
        (pa.array(["a"], pa.string_view()), pa.string(), ["a"]),
        (pa.array(["a", "b", "a", None]).dictionary_encode(), pa.string(), ["a", "b", "a", None]),
        (pa.array([5, 5], pa.int32()).dictionary_encode(), pa.int64(), [5, 5]),
        (pa.nulls(2), pa.string(), [None, None]),
        (pa.array([1_500], pa.timestamp("ms")), pa.timestamp("ns"), [datetime(1970, 1, 1, 0, 0, 1, 500_000)]),
        (pa.array([datetime(9999, 12, 31)], pa.timestamp("us")), pa.string(), ["9999-12-31 00:00:00"]),
        (pa.array([10], pa.duration("s")), pa.duration("ns"), [timedelta(seconds=10)]),
        (pa.array([b"ab"], pa.binary(2)), pa.binary(), [b"ab"]),
        (pa.array([[1]], pa.large_list(pa.int16())), pa.list_(pa.int64()), [[1]]),
        (pa.array([Decimal("1.50")], pa.decimal256(40, 2)), pa.string(), ["1.50"]),
        (pa.array([Decimal("1.50")], pa.decimal32(5, 2)), pa.decimal128(5, 2), [Decimal("1.50")]),
    ],
)
def test_foreign_types_become_ours_and_lose_nothing(column: pa.Array, kind: pa.DataType, values: list[Any]) -> None:
    found = normalise(pa.record_batch({"c": column})).column(0)
    found.validate(full=True)
    assert found.type == kind
    assert found.cast(pa.timestamp("us") if pa.types.is_timestamp(kind) else kind).to_pylist() == values or (
        pa.types.is_duration(kind) and found.cast(pa.duration("us")).to_pylist() == values
    )


def test_times_in_other_units_become_nanoseconds() -> None:
    found = normalise(pa.record_batch({"c": pa.array([1], pa.time32("s"))})).column(0)
    assert (found.type, found.cast(pa.int64()).to_pylist()) == (pa.time64("ns"), [1_000_000_000])


def test_a_map_becomes_a_list_of_pairs() -> None:
    found = normalise(pa.record_batch({"c": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32()))}))
    assert type_name(found.schema.field("c").type) == "list<struct<key: string, value: int64>>"
    assert found.column(0).to_pylist() == [[{"key": "k", "value": 1}]]


def test_a_struct_that_no_type_name_can_say_becomes_json() -> None:
    found = normalise(pa.record_batch({"c": pa.array([{"a: int64, b>": 1}, None])}))
    assert found.schema.field("c").metadata == {FIELD_TYPE: b"json"}
    assert found.column(0).to_pylist() == ['{"a: int64, b>":1}', None]


def test_metadata_stays_with_its_column() -> None:
    schema = pa.schema([pa.field("c", pa.int32(), metadata={b"k": b"v"})], {b"s": b"1"})
    found = normalise(pa.RecordBatch.from_arrays([pa.array([1], pa.int32())], schema=schema))
    assert (found.schema.field("c").metadata, found.schema.metadata) == ({b"k": b"v"}, {b"s": b"1"})


def test_a_batch_in_our_types_is_passed_on_as_it_is() -> None:
    batch = pa.record_batch({"a": [1], "b": ["x"], "c": [[1.5]]})
    assert normalise(batch) is batch


def test_a_type_that_nothing_can_hold_is_named() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    with pytest.raises(ParserFailed, match="union"):
        normalise(pa.record_batch({"c": union}))


def test_a_date_inside_a_struct_that_no_calendar_reaches_is_named() -> None:
    far = pa.array([5_000_000], pa.int32()).cast(pa.date32())
    with pytest.raises(ParserFailed, match="'s'"):
        normalise(pa.record_batch({"s": pa.StructArray.from_arrays([far], names=["a: date, b>"])}))


def test_two_columns_of_one_name_are_refused() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ParserFailed, match="one name: a"):
        normalise(batch)
