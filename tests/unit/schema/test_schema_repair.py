"""Repaired values in batches of every kind: only the named cells change, and what they held is kept."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.schema.repair import repaired, written_out
from casparian_flow.schema.validate import Validator
from casparian_flow.sdk.emit import FIELD_ENCODING

TYPES = {"n": "int64", "text": "string"}
CONTRACT = Contract("t", 1, tuple(ContractColumn(name, kind) for name, kind in TYPES.items()))
PLACES = pa.array([10, 20, 30], pa.int64())


def tagged(*columns: tuple[str, list[str | None]]) -> pa.RecordBatch:
    fields = [pa.field(name, pa.string(), metadata={FIELD_ENCODING: b"json"}) for name, _ in columns]
    return pa.record_batch([pa.array(values, pa.string()) for _, values in columns], schema=pa.schema(fields))


BATCHES = {
    "text": pa.record_batch({"n": ["1", "x", "3"], "text": ["a", "b", None]}),
    "tagged": tagged(("n", ["1", '"x', "3"]), ("text", ['"a', '"b', None])),
    "typed": pa.record_batch({"n": pa.array([1, 2, 3]), "text": pa.array(["a", "b", None])}),
    "without the column": pa.record_batch({"text": ["a", "b", None]}),
}


@pytest.mark.parametrize("name", BATCHES)
def test_the_named_cells_are_set_and_what_they_held_stands_beside_the_row(name: str) -> None:
    batch = BATCHES[name]
    changed, kept = repaired(batch, PLACES, {20: {"n": "7"}, 30: {"text": "c"}, 99: {"n": "8"}}, CONTRACT)
    found = Validator(CONTRACT).validate(changed, PLACES, kept=kept.rescues).accepted.to_pylist()
    first = None if name == "without the column" else 1
    assert [(row["n"], row["text"]) for row in found] == [
        (first, "a"),
        (7, "b"),
        (None if first is None else 3, "c"),
    ]
    held = {"tagged": '"x"', "typed": "2", "without the column": ""}.get(name, "x")
    assert [row["_cf_rescued"] for row in found] == [
        None,
        [{"column": "n", "raw": held, "code": "cf.repaired"}],
        [{"column": "text", "raw": "", "code": "cf.repaired"}],
    ]


def test_a_row_whose_repair_its_column_cannot_hold_is_rejected_and_the_other_repairs_hold() -> None:
    batch, wanted = BATCHES["typed"], {10: {"n": "6"}, 20: {"n": "7.5", "text": "B"}, 30: {"n": None}}
    changed, kept = repaired(batch, PLACES, wanted, CONTRACT)
    found = Validator(CONTRACT).validate(changed, PLACES, kept=kept.rescues, faults=kept.faults)
    assert [(row["n"], row["text"]) for row in found.accepted.to_pylist()] == [(6, "a"), (None, None)]
    assert found.rejected_row.to_pylist() == [20]
    (rejected,) = found.rejected.to_pylist()
    assert (rejected["code"], rejected["message"]) == ("cf.repair", "n: expected int64, found '7.5'")


def test_a_repair_of_a_cell_that_a_row_without_a_header_does_not_have_rejects_the_row() -> None:
    batch = pa.record_batch({"c0": ["1", "2", "3"]})
    contract = Contract("t", 1, CONTRACT.columns, headerless=True)
    changed, kept = repaired(batch, PLACES, {20: {"text": "b"}}, contract)
    found = Validator(contract).validate(changed, PLACES, kept=kept.rescues, faults=kept.faults)
    assert (found.rejected_row.to_pylist(), found.rejected["code"].to_pylist()) == ([20], ["cf.repair"])


def test_a_record_is_written_out_in_the_order_of_the_contract() -> None:
    rejected = pa.record_batch({"raw": pa.array([b"?\xff"]), "message": ["bad"]})
    batch, kept = written_out(rejected, pa.array([5]), {5: {"text": "z"}}, CONTRACT)
    assert batch.to_pylist() == [{"n": None, "text": "z"}]
    assert kept.rescues[0].values.to_pylist() == ["?\\xff"]


@settings(max_examples=40)
@given(
    values=st.lists(st.none() | st.text("ab,1", max_size=3), min_size=1, max_size=8),
    repairs=st.dictionaries(st.integers(0, 9), st.none() | st.text("xyz", max_size=2), max_size=4),
    cut=st.integers(0, 8),
)
def test_how_rows_are_cut_into_batches_changes_nothing(
    values: list[str | None], repairs: dict[int, str | None], cut: int
) -> None:
    batch = pa.record_batch({"text": pa.array(values, pa.string())})
    places = pa.array(range(len(values)), pa.int64())
    wanted = {row: {"text": text} for row, text in repairs.items()}

    def judged(part: pa.RecordBatch, rows: pa.Array) -> list[dict[str, object]]:
        changed, kept = repaired(part, rows, wanted, CONTRACT)
        return list(Validator(CONTRACT).validate(changed, rows, kept=kept.rescues).accepted.to_pylist())

    whole = judged(batch, places)
    assert whole == judged(batch.slice(0, cut), places.slice(0, cut)) + judged(batch.slice(cut), places.slice(cut))
    assert [row["text"] for row in whole] == [repairs.get(at, value) for at, value in enumerate(values)]
