"""Validation loses no row, and the row digest sees nothing but rows."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.lineage import RESCUED
from casparian_flow.schema.digest import RowDigest
from casparian_flow.schema.groups import GroupCounter
from casparian_flow.schema.rejections import REJECTION_SCHEMA
from casparian_flow.schema.validate import Validator

TYPES = ("int64", "float64", "date", "boolean", "decimal(6,2)", "timestamp", "string", "json")
CELLS = st.none() | st.sampled_from(["1", "2.5", "true", "2024-01-31", "2024-01-31T10:00", "x", "", "[1]", "12,034"])
CONTRACTS = st.lists(
    st.builds(ContractColumn, st.sampled_from("abcdef"), st.sampled_from(TYPES), st.booleans()),
    min_size=1,
    max_size=5,
    unique_by=lambda column: column.name,
).map(lambda columns: Contract("t", 3, tuple(columns)))


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    names = draw(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=5, unique=True))
    rows = draw(st.integers(0, 12))
    cells = st.lists(CELLS, min_size=rows, max_size=rows)
    return pa.record_batch({name: pa.array(draw(cells), pa.string()) for name in names})


@settings(max_examples=200, deadline=None)
@given(CONTRACTS, batches())
def test_every_row_is_accepted_or_rejected_and_none_changes(contract: Contract, batch: pa.RecordBatch) -> None:
    rows = pa.array(range(10, 10 + batch.num_rows), pa.int64())
    validator = Validator(contract)
    found = validator.validate(batch, rows, start=rows, end=pc.add(rows, 1))
    found.accepted.validate(full=True)
    found.rejected.validate(full=True)
    assert found.accepted.schema.names == [*contract.names, RESCUED]
    assert found.rejected.schema == REJECTION_SCHEMA
    together = found.accepted_row.to_pylist() + found.rejected_row.to_pylist()
    assert sorted(together) == rows.to_pylist()
    assert (len(found.accepted_row), len(found.rejected_row)) == (found.accepted.num_rows, found.rejected.num_rows)
    assert found.rejected["start"].equals(found.rejected_row)

    given_rows = dict(zip(rows.to_pylist(), batch.to_pylist(), strict=True))
    rescued = 0
    for row, values in zip(found.accepted_row.to_pylist(), found.accepted.to_pylist(), strict=True):
        extra = {entry["column"]: entry["raw"] for entry in values[RESCUED] or []}
        rescued += len(extra)
        for name, cell in given_rows[row].items():
            if name not in contract.names:
                assert extra.get(name) == cell
            else:
                assert (values[name] is None) == (cell is None)
    assert rescued == found.rescued
    for row, entry in zip(found.rejected_row.to_pylist(), found.rejected.to_pylist(), strict=True):
        assert given_rows[row] == json.loads(entry["values"])
        assert entry["errors"][0]["code"] == entry["code"]
        assert entry["contract_version"] == 3
    counter = GroupCounter("t")
    counter.add(found.rejected)
    assert sum(group.rows for group in counter.groups()) == found.rejected.num_rows


@settings(max_examples=100, deadline=None)
@given(CONTRACTS, batches(), st.data())
def test_splitting_a_batch_changes_no_verdict(contract: Contract, batch: pa.RecordBatch, data: st.DataObject) -> None:
    rows = pa.array(range(1, 1 + batch.num_rows), pa.int64())
    cut = data.draw(st.integers(0, batch.num_rows))
    whole, parts = Validator(contract), Validator(contract)
    expected = whole.validate(batch, rows)
    found = [parts.validate(batch.slice(at, size), rows.slice(at, size)) for at, size in ((0, cut), (cut, len(rows)))]
    assert pa.Table.from_batches([one.accepted for one in found]).equals(pa.Table.from_batches([expected.accepted]))
    assert pa.Table.from_batches([one.rejected for one in found]).equals(pa.Table.from_batches([expected.rejected]))
    assert parts.drift() == whole.drift()
    assert sum(one.rescued for one in found) == expected.rescued


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.none() | st.integers(-5, 5),
    "f": st.none() | st.floats(width=64),
    "b": st.none() | st.booleans(),
    "s": st.none() | st.text(max_size=4),
    "l": st.none() | st.lists(st.none() | st.integers(0, 3), max_size=3),
    "o": st.none() | st.fixed_dictionaries({"x": st.none() | st.integers(0, 2), "y": st.text(max_size=2)}),
}
SCHEMA = pa.schema(
    {
        "i": pa.int64(),
        "f": pa.float64(),
        "b": pa.bool_(),
        "s": pa.string(),
        "l": pa.list_(pa.int64()),
        "o": pa.struct([("x", pa.int64()), ("y", pa.string())]),
    }
)
ROWS = st.lists(st.fixed_dictionaries(VALUES), max_size=30)


def digest(*batches: pa.RecordBatch) -> str:
    running = RowDigest()
    for batch in batches:
        running.update(batch)
    return running.hex()


def with_garbage_under_nulls(array: pa.Array) -> pa.Array:
    """The same numbers, with other bytes in the places of nulls."""
    filled = pc.fill_null(array, 77)
    return pa.Array.from_buffers(array.type, len(array), [pc.is_valid(array).buffers()[1], filled.buffers()[1]])


@settings(max_examples=120, deadline=None)
@given(ROWS, st.lists(st.integers(0, 30), max_size=4), st.integers(0, 3))
def test_the_digest_does_not_see_chunks_slices_or_encodings(
    rows: list[dict[str, Any]], cuts: list[int], pad: int
) -> None:
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA)
    expected = digest(batch)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    assert digest(*(batch.slice(a, b - a) for a, b in pairwise(edges))) == expected

    padding = [dict.fromkeys(VALUES)] * pad
    padded = pa.RecordBatch.from_pylist(padding + rows + padding, SCHEMA)
    assert digest(padded.slice(pad, len(rows))) == expected

    encoded = batch.set_column(3, "s", batch.column(3).dictionary_encode())
    garbage = with_garbage_under_nulls(batch.column(0))
    assert digest(encoded.set_column(0, "i", garbage)) == expected


@settings(max_examples=80, deadline=None)
@given(ROWS, ROWS)
def test_the_digest_sees_every_change_of_a_value(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    one, other = (pa.RecordBatch.from_pylist(rows, SCHEMA) for rows in (mine, theirs))
    if repr(mine) != repr(theirs):
        assert digest(one) != digest(other)
    renamed = one.rename_columns(["i2", *SCHEMA.names[1:]])
    assert digest(renamed) != digest(one)
    assert digest(one.select(["f", "i"])) != digest(one.select(["i", "f"]))
    assert digest(one.select(["i"]).cast(pa.schema({"i": pa.float64()}))) != digest(one.select(["i"]))
