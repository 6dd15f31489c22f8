"""Batches against contracts: what is accepted, what is rejected and why."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import UsageError
from casparian_flow.core.lineage import RESCUED
from casparian_flow.core.receipts import DriftNote
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.validate import Validated, Validator
from casparian_flow.sdk.emit import FIELD_ENCODING


def a_contract(*columns: ContractColumn, headerless: bool = False) -> Contract:
    return Contract("sales", 2, columns, headerless)


ID = ContractColumn("id", "int64", nullable=False)
AT = ContractColumn("at", "date")


def validate(contract: Contract, **columns: Any) -> Validated:
    batch = pa.record_batch(columns)
    return Validator(contract).validate(batch, pa.array(range(1, batch.num_rows + 1), pa.int64()))


def test_columns_match_by_name_and_come_out_in_the_contracts_order() -> None:
    found = validate(a_contract(ID, AT), at=["2024-01-31"], id=["7"])
    assert found.accepted.schema.names == ["id", "at", RESCUED]
    assert found.accepted.schema.types[:2] == [pa.int64(), pa.date32()]
    assert found.rejected.num_rows == 0
    assert found.accepted_row.to_pylist() == [1]


def test_a_row_is_rejected_once_with_all_its_errors() -> None:
    found = validate(a_contract(ID, AT), id=["x", "2", None], at=["soon", "2024-01-31", "2024-13-01"])
    assert found.accepted_row.to_pylist() == [2]
    assert found.rejected_row.to_pylist() == [1, 3]
    first, last = found.rejected.to_pylist()
    assert [(error["code"], error["column"], error["expected"], error["observed"]) for error in first["errors"]] == [
        ("cf.cast.int64", "id", "int64", "x"),
        ("cf.cast.date", "at", "date", "soon"),
    ]
    assert (first["level"], first["code"], first["column"], first["shape"]) == ("field", "cf.cast.int64", "id", "A")
    assert first["message"] == "id: expected int64, found 'x' (and 1 more)"
    assert [error["code"] for error in last["errors"]] == ["cf.null", "cf.cast.date"]
    assert last["message"] == "id: expected int64, never null, found nothing (and 1 more)"
    assert json.loads(last["values"]) == {"id": None, "at": "2024-13-01"}
    assert last["contract_version"] == 2


def test_values_of_new_columns_are_rescued() -> None:
    found = validate(a_contract(ID), id=["1", "2"], zone=["north", None], n=[5, 6])
    rescued = found.accepted[RESCUED].to_pylist()
    assert rescued[0] == [
        {"column": "zone", "raw": "north", "code": "cf.column.new"},
        {"column": "n", "raw": "5", "code": "cf.column.new"},
    ]
    assert [entry["column"] for entry in rescued[1]] == ["n"]
    assert found.rescued == 3


def test_rescued_json_values_keep_their_kind() -> None:
    schema = pa.schema([pa.field("x", pa.string(), metadata={FIELD_ENCODING: b"json"})])
    batch = pa.RecordBatch.from_arrays([pa.array(['"5', "5"])], schema=schema)
    found = Validator(a_contract()).validate(batch, pa.array([1, 2]))
    assert [row[0]["raw"] for row in found.accepted[RESCUED].to_pylist()] == ['"5"', "5"]


def test_values_of_rejected_rows_are_not_counted_as_rescued() -> None:
    found = validate(a_contract(ID), id=["1", "x"], zone=["north", "south"])
    assert found.rescued == 1
    assert json.loads(found.rejected["values"][0].as_py()) == {"id": "x", "zone": "south"}


def test_a_missing_column_is_null_where_the_contract_allows_it() -> None:
    found = validate(a_contract(ID, AT), id=["1"])
    assert found.accepted["at"].to_pylist() == [None]
    assert found.rejected.num_rows == 0


def test_rows_without_a_required_column_are_rejected() -> None:
    found = validate(a_contract(ID, AT), at=["2024-01-31", "x"])
    assert found.accepted.num_rows == 0
    assert found.rejected["code"].to_pylist() == ["cf.column.missing"] * 2
    assert [len(errors) for errors in found.rejected["errors"].to_pylist()] == [1, 2]


def test_headerless_tables_match_by_place() -> None:
    contract = a_contract(ContractColumn("id", "int64"), ContractColumn("name", "string"), headerless=True)
    found = validate(contract, column_1=["1"], column_2=["x"], column_3=["extra"])
    assert found.accepted.slice(0, 1).to_pylist() == [
        {"id": 1, "name": "x", RESCUED: [{"column": "column_3", "raw": "extra", "code": "cf.column.new"}]}
    ]


def test_drift_is_summed_over_all_batches() -> None:
    validator = Validator(a_contract(ID, AT))
    for values in (["1", "x"], [None, "2"]):
        validator.validate(pa.record_batch({"id": values, "zone": ["a", None]}), pa.array([1, 2]))
    notes = [replace(note, survey=b"") for note in validator.drift()]
    missing, new, null, wrong = (
        DriftNote(table="sales", axis=axis, column=column, detail=detail, rows=rows, samples=samples, source_row=first)
        for axis, column, detail, rows, samples, first in (
            ("missing_column", "at", "expected date", 4, (), 1),
            ("new_column", "zone", "string", 2, ("a",), 1),
            ("nullability", "id", "expected int64, never null", 1, (), 1),
            ("type", "id", "expected int64", 1, ("x",), 2),
        )
    )
    assert notes == [missing, new, null, wrong]
    surveys = {note.column: Survey.from_bytes(note.survey) for note in validator.drift() if note.survey}
    assert {name: (survey.rows, survey.verdicts()[0].type) for name, survey in surveys.items()} == {
        "zone": (2, "string"),
        "id": (1, "string"),
    }


def test_typed_outputs_pass_the_same_gate() -> None:
    found = validate(a_contract(ID, AT), id=pa.array([1.0, 2.5]), at=pa.array([0, 1], pa.date32()))
    assert found.accepted["id"].to_pylist() == [1]
    assert found.rejected["errors"][0].as_py()[0]["observed"] == "2.5"


def test_byte_ranges_follow_the_rejected_rows() -> None:
    batch = pa.record_batch({"id": ["x", "1", "y"]})
    start, end = pa.array([0, 10, 20]), pa.array([10, 20, 31])
    found = Validator(a_contract(ID)).validate(batch, pa.array([5, 6, 9]), start, end)
    assert found.rejected.select(["start", "end"]).to_pylist() == [{"start": 0, "end": 10}, {"start": 20, "end": 31}]
    assert found.rejected_row.to_pylist() == [5, 9]


def test_a_row_that_fits_is_passed_on_without_a_copy_of_its_text() -> None:
    text = pa.array(["a", "b"])
    found = validate(a_contract(ContractColumn("c", "string")), c=text)
    assert found.accepted["c"].buffers()[2].address == text.buffers()[2].address


def test_an_empty_batch_gives_empty_parts() -> None:
    found = validate(a_contract(ID, AT), id=pa.array([], pa.string()))
    assert (found.accepted.num_rows, found.rejected.num_rows, found.rescued) == (0, 0, 0)


def test_slices_are_validated_where_they_lie() -> None:
    ids = pa.array([*"xx", "1", None, "3", "y"]).slice(2)
    batch = pa.record_batch({"id": ids, "new": pa.array(np.arange(6)).slice(2)})
    found = Validator(a_contract(ID)).validate(batch, pa.array([3, 4, 5, 6]))
    assert found.accepted_row.to_pylist() == [3, 5]
    assert [entry[0]["raw"] for entry in found.accepted[RESCUED].to_pylist()] == ["2", "4"]


@pytest.mark.parametrize(
    "column",
    [ContractColumn("c", "date", format="%Q"), ContractColumn("c", "int64", format="%Y"), ContractColumn("c", "x")],
)
def test_a_contract_that_cannot_be_read_is_refused_before_any_row(column: ContractColumn) -> None:
    with pytest.raises(UsageError):
        Validator(a_contract(column))
