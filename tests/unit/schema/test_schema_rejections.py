"""Rejections as rows, and their causes counted."""

from __future__ import annotations

import json

import pyarrow as pa

from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.schema.groups import OVERFLOW, GroupCounter
from casparian_flow.schema.rejections import (
    LONGEST_RAW,
    REJECTION_SCHEMA,
    reject_all,
    rejections_of_records,
    value_shape,
)
from casparian_flow.sdk.emit import FIELD_ENCODING, Rejected


def test_a_shape_shows_the_form_and_not_the_value() -> None:
    texts = pa.array(["12,034", "N/A", "2024-01-31T10:00Z", "Zoë  Ü", "", "x" * 99 + "1-" * 99, None])
    assert value_shape(texts).to_pylist() == [
        "99,999",
        "A/A",
        "9999-99-99A99:99A",
        "A A",
        "",
        "A" + "9-" * 19 + "9",
        None,
    ]


def test_what_a_parser_could_not_read_keeps_its_place_and_its_bytes() -> None:
    records = [
        Rejected("t", "cf.csv.arity", "3 fields, expected 4", start=10, end=20, raw=b"a,b,\xff\n"),
        Rejected("t", "cf.evtx.checksum", "damaged", locator="chunk 31"),
        Rejected("t", "cf.csv.quote", "runaway", start=0, end=10**9, raw=b"x" * (LONGEST_RAW + 1)),
    ]
    found = rejections_of_records(records, contract_version=3)
    found.validate(full=True)
    assert found.schema == REJECTION_SCHEMA
    rows = found.to_pylist()
    assert (rows[0]["start"], rows[0]["end"], rows[0]["raw"], rows[0]["level"]) == (10, 20, b"a,b,\xff\n", "record")
    assert rows[0]["errors"][0]["observed"] == "a,b,\\xff\n"
    assert (rows[1]["locator"], rows[1]["raw"], rows[1]["errors"][0]["observed"]) == ("chunk 31", None, "damaged")
    assert (len(rows[2]["raw"]), rows[2]["end"]) == (LONGEST_RAW, 10**9)
    assert rejections_of_records([]).schema == REJECTION_SCHEMA


def test_an_undeclared_output_is_rejected_with_all_its_values() -> None:
    schema = pa.schema([pa.field("j", pa.string(), metadata={FIELD_ENCODING: b"json"}), ("n", pa.int64())])
    batch = pa.RecordBatch.from_arrays([pa.array(['"a', None]), pa.array([1, None])], schema=schema)
    found = reject_all(batch, "cf.output.undeclared", "output 'x' is not declared", start=pa.array([0, 5]))
    found.validate(full=True)
    assert [json.loads(values) for values in found["values"].to_pylist()] == [
        {"j": '"a"', "n": "1"},
        {"j": None, "n": None},
    ]
    assert found["start"].to_pylist() == [0, 5]
    assert set(found["code"].to_pylist()) == {"cf.output.undeclared"}


def test_a_record_with_too_few_fields_and_one_with_too_many_are_two_causes() -> None:
    messages = [f"{fields} fields where the table has 7" for fields in (3, 9, 6, 7)] + ["9" * 5000 + " fields"]
    counter = GroupCounter("t")
    counter.add(rejections_of_records([Rejected("t", "cf.csv.arity", said) for said in messages]))
    assert {(group.shape, group.rows, group.message[:8]) for group in counter.groups()} == {
        ("too few fields", 2, "3 fields"),
        ("too many fields", 1, "9 fields"),
        ("", 2, "7 fields"),
    }


def rejected(*shapes: str) -> pa.RecordBatch:
    batch = reject_all(pa.record_batch({"c": list(shapes)}), "cf.x", "why")
    return batch.set_column(batch.schema.get_field_index("shape"), "shape", pa.array(shapes))


def test_rejections_are_grouped_by_code_column_and_shape() -> None:
    counter = GroupCounter("t")
    counter.add(rejected("9", "A", "9"))
    counter.add(rejected("9"))
    counter.add(rejected())
    assert counter.groups() == (
        QuarantineGroup(table="t", code="cf.x", column="", shape="9", rows=3, sample="why", message="why", bytes=336),
        QuarantineGroup(table="t", code="cf.x", column="", shape="A", rows=1, sample="why", message="why", bytes=112),
    )


def test_groups_are_bounded_and_still_count_every_row() -> None:
    counter = GroupCounter("t", limit=2)
    counter.add(rejected("a", "b", "c", "d", "a"))
    counter.add(rejected("e", "b"))
    groups = counter.groups()
    assert sum(group.rows for group in groups) == 7
    assert {(group.code, group.shape): group.rows for group in groups} == {
        (OVERFLOW, ""): 3,
        ("cf.x", "a"): 2,
        ("cf.x", "b"): 2,
    }
