"""The caret stands under the fault, whatever the record holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.operations.doing.quarantine.fault_place import Dialect, Fault, fault_span

CSV = Dialect(delimiter=",")
NAMES = ("id", "name", "n")


def a_cast(column: str, observed: str | None) -> Fault:
    return Fault(code="cf.cast.int64", message="", column=column, observed=observed, columns=NAMES)


@pytest.mark.parametrize(
    ("text", "fault", "at_fault"),
    [
        ("3,cy,NA", a_cast("n", "NA"), "NA"),
        ("NA,NA,7", a_cast("name", "NA"), "NA"),
        ('six,"f""y, z",7', a_cast("name", 'f"y, z'), 'f""y, z'),
        ("3,cy,", a_cast("n", None), ""),
        ("3,cy,Rome,extra,more", Fault(code="cf.csv.arity", message="5 fields where the table has 3"), "extra,more"),
        ("3", Fault(code="cf.csv.arity", message="1 field where the table has 3"), ""),
        ('4,"dee,5', Fault(code="cf.csv.quote", message="a quote that does not close"), '"'),
        ("a\0b", Fault(code="cf.csv.nul", message="a NUL byte"), "\0"),
    ],
)
def test_the_fault_of_a_delimited_record_is_found(text: str, fault: Fault, at_fault: str) -> None:
    span = fault_span(text, fault, CSV)
    assert span is not None
    assert text[slice(*span)] == at_fault


def test_of_two_equal_cells_the_one_of_the_column_is_meant() -> None:
    assert fault_span("NA,NA,7", a_cast("name", "NA"), CSV) == (3, 5)


def test_a_missing_value_is_pointed_at_where_it_should_stand() -> None:
    assert fault_span("3,,7", a_cast("name", None), CSV) == (2, 2)
    assert fault_span("3", Fault(code="cf.csv.arity", message="1 field where the table has 3"), CSV) == (1, 1)


@pytest.mark.parametrize(
    ("text", "fault", "span"),
    [
        ('{"b": "oops", "a": "oops"}', a_cast("a", "oops"), (19, 25)),
        ('{"a": {"a": 1}, "b": 2}', a_cast("a", '{"a": 1}'), (6, 14)),
        ('{"a": 1, "a": "x"}', a_cast("a", "x"), (14, 17)),
        ('{"a": 1,', Fault(code="cf.json.syntax", message="not JSON"), (8, 8)),
        ('{"a": tru}', Fault(code="cf.json.syntax", message="not JSON"), (6, 7)),
    ],
)
def test_the_fault_of_a_json_record_is_found(text: str, fault: Fault, span: tuple[int, int]) -> None:
    assert fault_span(text, fault, None) == span


def test_deep_json_is_no_way_to_stop_the_reader() -> None:
    text = '{"a": ' + "[" * 100_000
    assert fault_span(text, Fault(code="cf.json.syntax", message="not JSON"), None) is None
    assert fault_span(text, a_cast("a", "x"), None) is None


@given(text=st.text(max_size=60), column=st.sampled_from(NAMES), observed=st.none() | st.text(max_size=6))
def test_no_text_makes_it_fail_or_point_outside(text: str, column: str, observed: str | None) -> None:
    for dialect in (CSV, Dialect(delimiter="||", quote="'", escape="\\"), None):
        for code in ("cf.cast.int64", "cf.csv.arity", "cf.csv.quote", "cf.json.syntax"):
            fault = Fault(
                code=code, message="9 fields where the table has 2", column=column, observed=observed, columns=NAMES
            )
            span = fault_span(text, fault, dialect)
            assert span is None or 0 <= span[0] <= span[1] <= len(text)
