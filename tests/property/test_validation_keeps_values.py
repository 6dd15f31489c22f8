"""Validation keeps values: what is accepted is the value that was given, what is rejected can still be read off."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_schema_inference import columns

from any_columns import batches
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.lineage import RESCUED
from casparian_flow.schema.arrow import normalise, type_name
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.rendering import as_text
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.validate import Validator
from typed_columns import digest_of_rows


def numbered(batch: pa.RecordBatch) -> pa.Array:
    return pa.array(range(1, batch.num_rows + 1), pa.int64())


@settings(max_examples=30)
@given(batches())
def test_typed_values_under_a_contract_of_their_own_types_stay_the_same_values(batch: pa.RecordBatch) -> None:
    batch = normalise(batch)  # names that no type can say make their struct JSON
    contract = Contract("t", 1, tuple(ContractColumn(field.name, type_name(field.type)) for field in batch.schema))
    found = Validator(contract).validate(batch, numbered(batch))
    assert found.rejected.num_rows == 0 and found.rescued == 0
    kept = found.accepted.drop_columns([RESCUED])
    assert digest_of_rows(kept) == digest_of_rows(batch.cast(kept.schema))


@settings(max_examples=30)
@given(batches())
def test_typed_values_without_a_contract_are_drafted_as_they_are(batch: pa.RecordBatch) -> None:
    survey = Survey.of(batch, numbered(batch), "f")
    found = Validator(draft_contract("t", survey)).validate(batch, numbered(batch))
    assert found.rejected.num_rows == 0 and found.accepted.num_rows == batch.num_rows
    for field in batch.schema:
        assert [*as_text(found.accepted[field.name]).to_pylist()] == [*as_text(batch[field.name]).to_pylist()]


@pytest.mark.invariant(8)
@settings(max_examples=50)
@given(
    columns(), st.sampled_from(["int64", "float64", "decimal(20,4)", "boolean", "date", "timestamp", "string", "json"])
)
def test_text_is_accepted_only_as_the_value_that_it_writes_and_else_kept_as_it_is(
    texts: list[str | None], kind: str
) -> None:
    batch = pa.record_batch({"c": pa.array(texts, pa.string())})
    found = Validator(Contract("t", 1, (ContractColumn("c", kind),))).validate(batch, numbered(batch))
    accepted = dict(zip(found.accepted_row.to_pylist(), found.accepted["c"].to_pylist(), strict=True))
    values = map(json.loads, found.rejected["values"].to_pylist())
    rejected = dict(zip(found.rejected_row.to_pylist(), values, strict=True))
    assert sorted([*accepted, *rejected]) == list(range(1, len(texts) + 1))
    for row, text in enumerate(texts, start=1):
        if row in rejected:
            assert rejected[row] == {"c": text}
        elif text is None:
            assert accepted[row] is None
        else:
            assert written(accepted[row], kind) == meant(text, kind), text


def written(value: object, kind: str) -> object:
    """An accepted value in the form that `meant` gives for its text."""
    if kind in ("date", "timestamp"):
        return str(value).replace(" ", "T")[:10]
    return Decimal(repr(value)) if isinstance(value, float) else value


def meant(text: str, kind: str) -> object:
    """What the documented rules make of a text that has been accepted as this type."""
    match kind:
        case "int64":
            return int(text)
        case "float64" | "decimal(20,4)":
            return Decimal(text)
        case "boolean":
            return text.lower() == "true"
        case "date" | "timestamp":
            return text[:10]
        case _:
            return text
