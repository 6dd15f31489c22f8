"""Everything that a parser may yield as data becomes batches of types that travel."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from casparian_flow.guest.batches import is_row_list, rows_to_batch, to_batches
from casparian_flow.guest.plain import is_plain
from casparian_flow.guest.problems import BadYield
from casparian_flow.sdk.emit import FIELD_TYPE

ROWS = [{"n": 1, "t": "x"}, {"n": 2, "t": None}]


@pytest.mark.parametrize(
    "data",
    [
        pa.table({"n": [1, 2], "t": ["x", None]}),
        pa.record_batch({"n": [1, 2], "t": ["x", None]}),
        pa.RecordBatchReader.from_batches(
            pa.schema([("n", pa.int64()), ("t", pa.string())]), [pa.record_batch({"n": [1, 2], "t": ["x", None]})]
        ),
        pd.DataFrame({"n": [1, 2], "t": ["x", None]}),
        pl.DataFrame({"n": [1, 2], "t": ["x", None]}),
        {"n": [1, 2], "t": ["x", None]},
        {"n": pa.array([1, 2]), "t": pl.Series(["x", None])},
        {"n": range(1, 3), "t": pa.chunked_array([["x"], [None]])},
    ],
    ids=["table", "batch", "reader", "pandas", "polars", "dict of lists", "dict of arrays", "dict of others"],
)
def test_every_accepted_form_gives_the_same_rows(data: Any) -> None:
    batches = list(to_batches(data))
    assert [row for batch in batches for row in batch.to_pylist()] == ROWS
    assert all(is_plain(field.type) for batch in batches for field in batch.schema)


def test_types_that_do_not_travel_become_ones_that_do() -> None:
    encoded = pa.table(
        {
            "dictionary": pa.array(["a", "b", None]).dictionary_encode(),
            "nested": pa.array([["a"], ["b"], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
            "view": pa.array(["a", "b", None], pa.string_view()),
            "runs": pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", "b"])),
            "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * 3, pa.binary(16))),
        }
    )
    [batch] = to_batches(encoded)
    assert [is_plain(field.type) for field in batch.schema] == [True] * 5
    assert batch.to_pydict() == {
        "dictionary": ["a", "b", None],
        "nested": [["a"], ["b"], None],
        "view": ["a", "b", None],
        "runs": ["a", "a", "b"],
        "uuid": [b"0" * 16] * 3,
    }


def test_polars_categoricals_and_pandas_nanoseconds_survive() -> None:
    [from_polars] = to_batches(pl.DataFrame({"c": pl.Series(["u", "v"], dtype=pl.Categorical)}))
    [from_pandas] = to_batches(pd.DataFrame({"t": pd.to_datetime(["2024-01-01T00:00:00.123456789Z"])}))
    assert from_polars.to_pydict() == {"c": ["u", "v"]}
    assert from_pandas["t"].cast(pa.int64()).to_pylist() == [1704067200123456789]


def test_metadata_of_the_sdk_survives_and_other_metadata_does_not() -> None:
    field = pa.field("a", pa.string(), metadata={FIELD_TYPE: b"json", b"other": b"x"})
    [batch] = to_batches(
        pa.table([["1"]], schema=pa.schema([field], metadata={b"pandas": b"{}", b"cf.headerless": b""}))
    )
    assert batch.schema.field("a").metadata == {FIELD_TYPE: b"json"}
    assert batch.schema.metadata == {b"cf.headerless": b""}


def test_a_table_without_rows_still_tells_its_columns() -> None:
    [batch] = to_batches(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string_view())}))
    assert batch.num_rows == 0
    assert batch.schema.names == ["a", "b"]


def test_a_named_pandas_index_is_data_and_an_unnamed_one_is_not() -> None:
    [named] = to_batches(pd.DataFrame({"a": [1]}, index=pd.Index(["k"], name="key")))
    [unnamed] = to_batches(pd.DataFrame({"a": [1]}, index=[9]))
    assert named.to_pylist() == [{"key": "k", "a": 1}]
    assert unnamed.to_pylist() == [{"a": 1}]


def test_dicts_give_columns_in_order_of_appearance_with_nulls_for_absent_keys() -> None:
    batch = rows_to_batch([{"b": 1}, {"a": "x", "b": 2}])
    assert batch.schema.names == ["b", "a"]
    assert batch.to_pylist() == [{"b": 1, "a": None}, {"b": 2, "a": "x"}]


@pytest.mark.parametrize(
    "data",
    [42, "text", {"a": 1}, {"a": "text"}, {1: [1]}, {"a": [1], "b": [1, 2]}, pl.LazyFrame({"a": [1]}), [1, 2]],
    ids=["number", "text", "number value", "text value", "number key", "uneven columns", "lazy frame", "numbers"],
)
def test_anything_else_is_refused(data: Any) -> None:
    with pytest.raises(BadYield):
        list(to_batches(data))


def test_only_lists_of_dicts_are_rows() -> None:
    assert is_row_list([])
    assert is_row_list([{}])
    assert not is_row_list([{}, 1])
    assert not is_row_list({"a": [1]})
