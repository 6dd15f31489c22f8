"""What inference says about columns, and why."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core.errors import InvariantBroken, ParserFailed
from casparian_flow.schema import survey as survey_module
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.verdict import ColumnVerdict
from casparian_flow.sdk.emit import FIELD_ENCODING, FIELD_ORIGINAL, FIELD_TYPE


def verdict_on(values: list[Any], metadata: dict[bytes, bytes] | None = None) -> ColumnVerdict:
    """The verdict on one column; texts unless they are an Arrow array already."""
    array = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    schema = pa.schema([pa.field("c", array.type, metadata=metadata)])
    return Survey.of(pa.RecordBatch.from_arrays([array], schema=schema)).verdicts()[0]


def json_verdict(*values: str | None) -> str:
    return verdict_on(list(values), {FIELD_ENCODING: b"json"}).type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "0"], "int64"),
        (["0", "1"], "int64"),
        (["007", "8"], "string"),
        (["+1"], "string"),
        (["-0"], "float64"),
        (["9223372036854775807"], "int64"),
        (["9223372036854775808"], "string"),
        (["1.5", "9223372036854775808"], "string"),
        (["1e5"], "float64"),
        (["1", "2.50"], "float64"),
        (["9007199254740993", "0.5"], "decimal(17,1)"),
        (["12345678901234567.89", "1"], "decimal(19,2)"),
        (["0." + "1" * 39], "string"),
        (["NaN", "1.0"], "string"),
        (["inf"], "string"),
        (["1,000"], "string"),
        (["$5"], "string"),
        (["5%"], "string"),
        ([" 5"], "string"),
        (["true", "FALSE"], "boolean"),
        (["true", "0"], "string"),
        (["2024-02-29"], "date"),
        (["2023-02-29"], "string"),
        (["2024/01/31"], "date"),
        (["31.01.2024"], "date"),
        (["12:30:00", "12:30", "23:59:59.999999999"], "time"),
        (["24:00:00"], "string"),
        (["2024-01-31 10:00", "2024-01-31T10:00:00.123456789"], "timestamp"),
        (["2024-01-31", "2024-01-31 10:00"], "string"),
        (["1677-01-01 00:00:00"], "string"),
        (["9999-12-31 00:00:00"], "string"),
        (["9999-12-31"], "date"),
        (["2024-01-31T10:00:00Z", "2024-01-31T10:00:00+00:00"], "timestamp_tz(UTC)"),
        (["2024-01-31T10:00:00+02:00", "2024-02-01 10:00+0200"], "timestamp_tz(+02:00)"),
        (["2024-01-31T10:00:00+02:00", "2024-01-31T10:00:00Z"], "timestamp_tz(UTC)"),
        (["2024-01-31T10:00:00Z", "2024-01-31T10:00:00"], "string"),
        ([None, None], "string"),
        (["", "1"], "string"),
        ([None, "1"], "int64"),
    ],
)
def test_a_type_stays_until_a_value_rules_it_out(values: list[str | None], expected: str) -> None:
    assert verdict_on(values).type == expected
    assert verdict_on(values[::-1]).type == expected


def test_day_and_month_are_never_guessed() -> None:
    ambiguous = verdict_on(["01/02/2024", "03/04/2024"])
    assert (ambiguous.type, ambiguous.format) == ("string", None)
    assert "date %d/%m/%Y or date %m/%d/%Y" in ambiguous.note


def test_one_value_settles_day_and_month_for_the_whole_column() -> None:
    settled = verdict_on(["01/02/2024"] * 300 + ["31/01/2024"])
    assert (settled.type, settled.format) == ("date", "%d/%m/%Y")
    american = verdict_on(["01/02/2024 10:00:00", "01/31/2024 10:00:00.5"])
    assert (american.type, american.format) == ("timestamp", "%m/%d/%Y %H:%M:%S")


def test_words_for_null_keep_a_column_text_and_are_named() -> None:
    found = verdict_on(["1", "N/A", "2", "N/A", "", "-"])
    assert found.type == "string"
    assert found.note == "would be int64 if '' (1), '-' (1), 'N/A' (2) were null"


def test_words_for_null_are_not_mentioned_where_nothing_else_fits() -> None:
    assert verdict_on(["x", "N/A"]).note == ""
    assert verdict_on(["NULL", "NULL"]).note == "holds nothing but 'NULL'"


def test_the_first_values_that_speak_against_a_type_are_kept_with_their_rows() -> None:
    column = pa.array([str(at) for at in range(70_000)] + ["oops", "2.5", "x", "y"])
    found = dict(verdict_on(column).ruled_out)
    assert [(example.row, example.value) for example in found["int64"]] == [
        (70_001, "oops"),
        (70_002, "2.5"),
        (70_003, "x"),
    ]
    assert [example.value for example in found["float64"]] == ["oops", "x", "y"]
    assert [example.row for example in found["date"]] == [1, 2, 3]


def test_a_wide_number_is_named_as_the_reason() -> None:
    assert "18446744073709551615" in verdict_on(["18446744073709551615"]).note
    assert "a float would change 0.10000000000000001" in verdict_on(["0.10000000000000001"]).note


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1", "2"), "int64"),
        (("1", "2.5"), "float64"),
        (("true", None), "boolean"),
        (('"a', '"b'), "string"),
        (('"2024-01-31', '"2024-02-01'), "date"),
        (('"2024-01-31T10:00:00Z',), "timestamp_tz(UTC)"),
        (('"2024-01-31T10:00:00', '"x'), "string"),
        (('"1', '"2'), "string"),
        (("1", '"1'), "json"),
        (("[1]", "{}"), "json"),
        (("true", "1"), "json"),
        (("18446744073709551615",), "json"),
        (("0.10000000000000001",), "decimal(18,17)"),
        ((None, None), "string"),
    ],
)
def test_json_values_are_inferred_over_their_kinds(values: tuple[str | None, ...], expected: str) -> None:
    assert json_verdict(*values) == expected


def test_columns_that_the_parser_fixed_are_not_inferred() -> None:
    assert verdict_on(["1", "2"], {FIELD_TYPE: b"string"}).type == "string"
    assert verdict_on([None, "x"], {FIELD_TYPE: b"decimal(10, 2)"}).type == "decimal(10,2)"


def test_a_fixed_type_that_does_not_exist_is_the_parsers_fault() -> None:
    with pytest.raises(ParserFailed, match="'c'"):
        verdict_on(["1"], {FIELD_TYPE: b"integer"})


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (pa.array([1]), pa.array([2.5]), "float64"),
        (pa.array([2**53 + 1]), pa.array([2.5]), "string"),
        (pa.array([1]), pa.array(["1.25"]).cast(pa.decimal128(10, 2)), "decimal(21,2)"),
        (pa.array([1], pa.uint8()), pa.array([2]), "int64"),
        (pa.array([2**64 - 1], pa.uint64()), pa.array([2]), "decimal(20,0)"),
        (pa.array([1]), pa.array(["7"]), "int64"),
        (pa.array([1]), pa.array(["x"]), "string"),
        (pa.array([1]), pa.array([None], pa.string()), "int64"),
        (pa.array([1]), pa.nulls(3), "int64"),
        (
            pa.array([1], pa.timestamp("us", "UTC")),
            pa.array([1], pa.timestamp("s", "Europe/Rome")),
            "timestamp_tz(UTC)",
        ),
        (pa.array([[1]]), pa.array([[2]]), "list<int64>"),
    ],
)
def test_native_types_of_several_files_become_one(first: pa.Array, second: pa.Array, expected: str) -> None:
    one, other = (Survey.of(pa.record_batch({"c": array}), None, name) for array, name in ((first, "a"), (second, "b")))
    assert one.merge(other).verdicts()[0].type == expected
    assert other.merge(one).verdicts() == one.merge(other).verdicts()


def test_columns_stand_at_their_mean_place_over_all_rows() -> None:
    def rows(*names: str, count: int) -> Survey:
        return Survey.of(pa.record_batch({name: pa.array(["x"] * count) for name in names}))

    few, many = rows("a", "b", "c", count=2), rows("a", "new", "b", "c", count=50)
    assert few.merge(many).names == many.merge(few).names == ["a", "new", "b", "c"]


def test_a_file_with_a_header_only_still_has_columns() -> None:
    empty = pa.record_batch({"b": pa.array([], pa.string()), "a": pa.array([], pa.string())})
    assert [column.type for column in draft_contract("t", Survey.of(empty)).columns] == ["string", "string"]
    assert Survey.of(empty).names == ["b", "a"]


def test_a_draft_carries_formats_notes_and_original_headers() -> None:
    fields = [
        pa.field("sold_on", pa.string(), metadata={FIELD_ORIGINAL: b"Sold on"}),
        pa.field("amount", pa.string()),
    ]
    arrays = [pa.array(["31/12/2024"]), pa.array(["N/A"])]
    contract = draft_contract(
        "sales", Survey.of(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))), version=4
    )
    sold_on, amount = contract.columns
    assert (contract.table, contract.version) == ("sales", 4)
    assert (sold_on.type, sold_on.format, sold_on.original) == ("date", "%d/%m/%Y", "Sold on")
    assert (amount.type, amount.original, amount.note) == ("string", None, "holds nothing but 'N/A'")
    assert all(column.nullable for column in contract.columns)


def test_merging_changes_neither_side() -> None:
    one, other = Survey.of(pa.record_batch({"c": ["1"]})), Survey.of(pa.record_batch({"d": ["x"]}))
    before = one.to_bytes()
    merged = one.merge(other)
    merged.add(pa.record_batch({"c": ["zz"], "d": ["1"]}))
    assert one.to_bytes() == before


def test_a_survey_that_was_damaged_on_the_way_is_noticed() -> None:
    with pytest.raises(InvariantBroken):
        Survey.from_bytes(b"\x00nothing")


def test_names_that_are_really_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "MAX_COLUMNS", 3)
    survey = Survey.of(pa.record_batch({"a": ["1"], "b": ["1"]}))
    with pytest.raises(ParserFailed, match="more than 3 columns"):
        survey.add(pa.record_batch({"c": ["1"], "d": ["1"]}))


def test_bytes_of_a_survey_do_not_grow_with_rows() -> None:
    small = Survey.of(pa.record_batch({"c": ["name"] * 10}))
    large = Survey.of(pa.record_batch({"c": ["name"] * 100_000}))
    assert len(large.to_bytes()) <= len(small.to_bytes()) + 16


def test_whole_numbers_that_a_float_would_round_are_remembered_across_files() -> None:
    whole = Survey.of(pa.record_batch({"c": ["9007199254740993"]}), None, "a")
    broken = Survey.of(pa.record_batch({"c": ["0.5"]}), None, "b")
    assert whole.verdicts()[0].type == "int64"
    assert whole.merge(broken).verdicts()[0].type == "decimal(17,1)"


def test_words_for_null_leave_no_trace_once_every_type_is_ruled_out() -> None:
    column = pa.array(["x"] * 100 + ["N/A"])
    rows = pa.array(range(1, 102))
    whole = Survey.of(pa.record_batch({"c": column}), rows)
    late = Survey.of(pa.record_batch({"c": column.slice(50)}), rows.slice(50))
    late.add(pa.record_batch({"c": column.slice(0, 50)}), rows.slice(0, 50))
    assert late.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["1", "x", "2"], "would be int64 but for 'x' in row 2"),
        (["1", "x", "2", "y", "3"], "would be int64 but for 2 values, first 'x' in row 2"),
        (["2024-01-31", "2024-02-29", "soon"], "would be date but for 'soon' in row 3"),
        (["1", "x", "2", "y", "3", "z", "4"], ""),
        (["1", "x"], ""),
        (["a", "b"], ""),
    ],
    ids=["one", "two", "a day", "too many to be sure of", "half of all", "text"],
)
def test_a_column_that_is_text_for_one_or_two_values_says_which_the_first_is(values: list[str], note: str) -> None:
    found = verdict_on(values)
    assert (found.type, found.note) == ("string", note)
