"""Classed values in the table and in what is said about rows."""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.quarantine import Code
from casparian_flow.core.receipts import DriftNote
from casparian_flow.core.treatments import Treatment
from casparian_flow.schema.pseudonyms import pseudonyms
from casparian_flow.schema.rejections import reject_all, rejections_of_records
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.treat import Treatments, accepted_schema, output_schema
from casparian_flow.schema.validate import Validator
from casparian_flow.sdk.emit import Rejected

KEY = bytes(range(32))
PEOPLE = Contract(
    "people",
    1,
    (
        ContractColumn("name", "string"),
        ContractColumn("age", "int64"),
        ContractColumn("ssn", "string", sensitivity="secret"),
        ContractColumn("pin", "int64", sensitivity="secret"),
        ContractColumn("born", "date", sensitivity="personal"),
        ContractColumn("card", "int64", sensitivity="secret", treatment=Treatment.PARTIAL, treatment_argument="2-4"),
        ContractColumn("town", "string", treatment=Treatment.FIXED, treatment_argument="somewhere"),
        ContractColumn("paid", "float64", nullable=False, sensitivity="personal", treatment=Treatment.NULL),
        ContractColumn("token", "string", sensitivity="secret", treatment=Treatment.DROP),
    ),
)
ROWS = {
    "name": ["ann", "bob", "cat"],
    "age": ["31", "old", "7"],
    "ssn": ["S-1", "S-1", None],
    "pin": ["77", "78", "x79y"],
    "born": ["2001-02-03"] * 3,
    "card": ["1234567890", "12345", None],
    "town": ["Bern", "Bonn", None],
    "paid": ["1.5", "2.5", "3.5"],
    "token": ["T-1", "T-2", "T-3"],
    "extra": ["E-1", None, "E-3"],
}


def pseudonym(value: str) -> str:
    return hmac.digest(KEY, b"casparian-flow pseudonym v1\0" + value.encode(), "sha256").hex()[:32]


def validated(rows: dict[str, Any] = ROWS, contract: Contract = PEOPLE) -> Any:
    batch = pa.record_batch({name: pa.array(values, pa.string()) for name, values in rows.items()})
    at = pa.array(range(1, batch.num_rows + 1), pa.int64())
    return Validator(contract, source="blake3:00").validate(batch, at, at, at)


def test_each_column_stands_in_the_table_as_its_treatment_asks() -> None:
    rows = {**ROWS, "age": ["31", "32", "7"], "pin": ["77", "78", None]}
    treated = Treatments(PEOPLE, KEY).rows(validated(rows).accepted)
    assert treated.schema.equals(accepted_schema(PEOPLE))
    assert treated.drop_columns(["_cf_rescued"]).to_pydict() == {
        "name": ["ann", "bob", "cat"],
        "age": [31, 32, 7],
        "ssn": [pseudonym("S-1"), pseudonym("S-1"), None],
        "pin": [pseudonym("77"), pseudonym("78"), None],
        "born": validated(rows).accepted["born"].to_pylist(),
        "card": ["12***7890", "***", None],
        "town": ["somewhere", "somewhere", None],
        "paid": [None, None, None],
    }
    assert [None if each is None else each[0]["raw"] for each in treated["_cf_rescued"].to_pylist()] == [
        "‹undeclared 3 chars›",
        None,
        "‹undeclared 3 chars›",
    ]
    assert output_schema(PEOPLE).names == treated.schema.names[:-1]
    assert output_schema(PEOPLE).field("paid").nullable, "nulls are what its treatment writes"


def test_keys_are_compared_by_what_stands_in_the_table() -> None:
    treatments, values = (
        Treatments(PEOPLE, KEY),
        validated({**ROWS, "age": [None] * 3, "pin": ["1", "2", None]}).accepted,
    )
    for name in ("name", "ssn", "pin", "card"):
        assert treatments.column(name, values[name]).equals(treatments.rows(values)[name])
    assert treatments.column("token", values["token"]).null_count == 3


def test_a_rejected_row_tells_no_value_of_a_closed_column() -> None:
    found = validated().rejected
    treated = Treatments(PEOPLE, KEY).rejections(found)
    assert treated.schema.equals(found.schema)
    assert treated["message"].to_pylist() == [
        "age: expected int64, found 'old'",
        "pin: expected int64, found '‹secret 4 chars›'",
    ]
    assert treated["shape"].to_pylist() == ["A", "‹secret›"]
    assert treated["errors"].to_pylist()[1][0]["observed"] == "‹secret 4 chars›"
    assert json.loads(treated["values"][0].as_py()) == {
        "name": "bob",
        "age": "old",
        "ssn": "‹secret 3 chars›",
        "pin": "‹secret 2 chars›",
        "born": "‹personal 10 chars›",
        "card": "‹secret 5 chars›",
        "town": "‹internal 4 chars›",
        "paid": "‹personal 3 chars›",
        "token": "‹secret 3 chars›",
        "extra": None,
    }
    assert treated["start"].equals(found["start"]) and treated["code"].equals(found["code"])
    assert Treatments(PEOPLE, KEY).rejections(treated).equals(treated), "what is closed stays as it is"


def test_what_a_parser_says_of_a_record_is_not_kept() -> None:
    record = Rejected("people", "cf.people.odd", "odd: S-1", 3, 9, locator="line of S-1", raw=b"S-1")
    treated = Treatments(PEOPLE, KEY).rejections(rejections_of_records([record])).to_pylist()[0]
    assert "S-1" not in repr(treated)
    assert (treated["code"], treated["start"], treated["end"], treated["raw"]) == ("cf.people.odd", 3, 9, None)
    batch = pa.record_batch({"ssn": ["S-1"], "name": ["ann"]})
    refused = (
        Treatments(Contract("others", 0, ()), KEY)
        .rejections(reject_all(batch, Code.OUTPUT_UNDECLARED, "the parser does not declare an output 'others'"))
        .to_pylist()[0]
    )
    assert refused["message"] == "the parser does not declare an output 'others'"
    assert "S-1" not in repr(refused) and "ann" not in repr(refused), "nobody said what they are"


def test_a_parser_of_ours_is_believed_but_for_the_words_that_it_passes_on() -> None:
    said = {
        "records 5 to 9 are in no chunk (5 records)": "records 5 to 9 are in no chunk (5 records)",
        "record 7 cannot be read: S-1\nS-1": "record 7 cannot be read",
        "the chunk's field 'S-1' is too long": "the chunk's field",
    }
    records = [Rejected("people", "cf.evtx.record", text, 3, 9, locator="chunk 1: S-1", raw=b"S-1") for text in said]
    treatments = Treatments(PEOPLE, KEY, is_vouched=True)
    treated = treatments.rejections(rejections_of_records(records))
    assert treated["message"].to_pylist() == list(said.values())
    assert treated["locator"].to_pylist() == ["chunk 1"] * 3
    assert "S-1" not in repr(treated.to_pylist())
    assert treatments.rejections(treated).equals(treated)


def test_what_is_closed_still_tells_too_few_fields_from_too_many() -> None:
    said = [f"{fields} fields where the table has 5" for fields in (3, 9)]
    records = [Rejected("people", "cf.csv.arity", text, 3, 9, raw=b"S-1") for text in said]
    treated = Treatments(PEOPLE, KEY).rejections(rejections_of_records(records))
    assert treated["shape"].to_pylist() == ["too few fields", "too many fields"]


def test_rescued_values_are_treated_as_their_column_is() -> None:
    contract = replace(PEOPLE, columns=(*PEOPLE.columns, ContractColumn("mail", "int64", sensitivity="personal")))
    entries = [
        {"column": name, "raw": "v-1", "code": "cf.cast"} for name in ("mail", "pin", "town", "token", "new", "name")
    ]
    batch = pa.record_batch([pa.array([None, entries, []], accepted_schema(contract).field(-1).type)], ["_cf_rescued"])
    treated = Treatments(contract, KEY).rows(batch)["_cf_rescued"].to_pylist()
    assert (treated[0], treated[2]) == (None, [])
    assert {each["column"]: each["raw"] for each in treated[1]} == {
        "mail": "v-1",
        "pin": pseudonym("v-1"),
        "town": "somewhere",
        "token": "‹secret 3 chars›",
        "new": "‹undeclared 3 chars›",
        "name": "v-1",
    }


def test_drift_keeps_what_types_are_possible_and_no_value() -> None:
    survey = Survey.of(pa.record_batch({"new": ["X-77", "12"]}), pa.array([1, 2]), "blake3:00")
    note = DriftNote(table="people", axis="new_column", column="new", detail="string", rows=2, samples=("X-77", "12"),
                     survey=survey.to_bytes())  # fmt: skip
    treated = Treatments(PEOPLE, KEY).drift(note)
    assert treated.samples == ("‹undeclared 4 chars›", "‹undeclared 2 chars›")
    assert b"X-77" not in treated.survey
    verdicts = [each.verdicts()[0] for each in (survey, Survey.from_bytes(treated.survey))]
    assert verdicts[0].type == verdicts[1].type and verdicts[0].could_be == verdicts[1].could_be
    assert Treatments(PEOPLE, KEY).drift(replace(note, column="name")) == replace(note, column="name")
    output = Treatments(PEOPLE, KEY).drift(replace(note, axis="new_output", column="name"))
    assert output.samples == treated.samples and b"X-77" not in output.survey


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=30), st.integers(0, 30))
def test_pseudonyms_depend_on_text_and_key_alone(values: list[str | None], cut: int) -> None:
    whole = pseudonyms(pa.array(values, pa.string()), KEY).to_pylist()
    assert whole == [None if each is None else pseudonym(each) for each in values]
    halves = [pseudonyms(pa.array(part, pa.string()), KEY).to_pylist() for part in (values[:cut], values[cut:])]
    assert halves[0] + halves[1] == whole
    other = pseudonyms(pa.array(values, pa.string()), bytes(32)).to_pylist()
    assert all(mine != theirs for mine, theirs in zip(whole, other, strict=True) if mine is not None)


def test_nothing_becomes_a_pseudonym_without_a_key() -> None:
    with pytest.raises(InvariantBroken):
        Treatments(PEOPLE, b"").rows(validated({**ROWS, "age": [None] * 3, "pin": [None] * 3}).accepted)


@given(st.text(max_size=12), st.integers(0, 5), st.integers(0, 5))
def test_a_partial_value_shows_no_more_than_it_says(value: str, first: int, last: int) -> None:
    column = ContractColumn("c", "string", treatment=Treatment.PARTIAL, treatment_argument=f"{first}-{last}")
    shown = Treatments(Contract("t", 1, (column,)), b"").column("c", pa.array([value])).to_pylist()[0]
    if len(value) <= first + last:
        assert shown == "***"
    else:
        assert shown == value[:first] + "***" + value[len(value) - last :]


def test_only_contracts_with_something_to_close_are_treated() -> None:
    for sensitivity, treatment in product(("public", "internal", "personal", "secret"), (None, Treatment.KEEP)):
        contract = Contract("t", 1, (ContractColumn("c", "string", sensitivity=sensitivity, treatment=treatment),))
        assert contract.is_closed == (sensitivity in ("personal", "secret"))
        assert contract.needs_key == (sensitivity == "secret" and treatment is None)
    assert "KEY" not in repr(Treatments(PEOPLE, KEY)) and KEY.hex() not in repr(Treatments(PEOPLE, KEY))
