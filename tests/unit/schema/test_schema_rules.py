"""Value rules: bounds in the column's type, whole texts, nulls that are not asked, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import RuleInvalid
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.rules import compile_rules


def failing(rule: Rule, values: list[Any], type_name: str, **column: Any) -> list[Any]:
    """The values that break the rule."""
    contract = Contract("t", 1, (ContractColumn("c", type_name, **column),), rules=(rule,))
    found = list(compile_rules(contract).faults({"c": pa.array(values, arrow_type(type_name))}))
    return [] if not found else [value for value, failed in zip(values, found[0].failed, strict=True) if failed]


def a_range(low: str | None, high: str | None) -> Rule:
    return Rule("r", RuleKind.RANGE, ("c",), low=low, high=high)


def a_pattern(pattern: str) -> Rule:
    return Rule("r", RuleKind.PATTERN, ("c",), pattern=pattern)


def test_bounds_belong_to_the_range_and_nulls_are_not_asked() -> None:
    assert failing(a_range("-1", "3"), [-2, -1, None, 3, 4], "int64") == [-2, 4]
    assert failing(a_range("2.50", None), [Decimal("2.49"), Decimal("2.50"), None], "decimal(5,2)") == [Decimal("2.49")]


def test_a_number_that_is_none_lies_nowhere() -> None:
    found = failing(a_range(None, "1e300"), [float("nan"), 1.0, float("-inf"), None], "float64")
    assert [str(value) for value in found] == ["nan"]


def test_bounds_of_times_are_iso_or_as_the_column_has_them() -> None:
    for low in ("2024-01-31", "31.01.2024"):
        contract = Contract("t", 1, (ContractColumn("c", "date", format="%d.%m.%Y"),), rules=(a_range(low, None),))
        [fault] = compile_rules(contract).faults({"c": pa.array([19752, 19753], pa.date32())})
        assert fault.failed.tolist() == [True, False]
    stamp = a_range("2024-01-31T10:00:00+01:00", None)
    nine = 1706691600 * 10**9
    assert failing(stamp, [nine - 1, nine], "timestamp_tz(UTC)") == [nine - 1]
    assert failing(a_range("5", None), [4, 5], "duration") == [4]


@pytest.mark.parametrize(
    ("pattern", "texts", "broken"),
    [
        ("a|b", ["a", "b", "ab", "a\n", ""], ["ab", "a\n", ""]),
        ("(?i)x+", ["xX", "y"], ["y"]),
        (r"\d{2}$", ["12", "12\n"], ["12\n"]),
        ("(?:(a+)+)", ["a" * 5000, "a" * 5000 + "b"], ["a" * 5000 + "b"]),
    ],
)
def test_a_pattern_is_for_the_whole_text(pattern: str, texts: list[str], broken: list[str]) -> None:
    assert failing(a_pattern(pattern), texts, "string") == broken


def test_lengths_are_characters_bytes_or_items() -> None:
    rule = Rule("r", RuleKind.LENGTH, ("c",), low="1", high="2")
    assert failing(rule, ["", "äö", "abc", None], "string") == ["", "abc"]
    assert failing(rule, [b"", "ä".encode(), "äö".encode()], "binary") == [b"", "äö".encode()]
    assert failing(rule, [[], [1], [1, 2, 3], None], "list<int64>") == [[], [1, 2, 3]]


def test_a_set_has_values_of_the_columns_type() -> None:
    rule = Rule("r", RuleKind.SET, ("c",), values=("1", "2.0"))
    assert failing(rule, [1.0, 2.0, 3.0, float("nan"), None], "float64")[0] == 3.0
    assert failing(Rule("r", RuleKind.SET, ("c",), values=("true",)), [True, False, None], "boolean") == [False]
    decimals = Rule("r", RuleKind.SET, ("c",), values=("1.5",))
    assert failing(decimals, [Decimal("1.50"), Decimal("1.51")], "decimal(5,2)") == [Decimal("1.51")]


@pytest.mark.parametrize(
    ("rule", "type_name"),
    [
        (a_range("9", "1"), "int64"),
        (a_range("nan", None), "float64"),
        (a_range("1.5", None), "int64"),
        (a_range("12345", None), "decimal(4,2)"),
        (a_range("soon", None), "date"),
        (a_range("soon", None), "duration"),
        (a_pattern("("), "string"),
        (a_pattern("a)|(b"), "string"),
        (a_pattern("(?=a)"), "string"),
        (a_pattern("((a{1000}){1000}){1000}"), "string"),
        (Rule("r", RuleKind.SET, ("c",), values=("1", "x")), "int64"),
    ],
)
def test_what_no_value_could_be_compared_with_is_refused(rule: Rule, type_name: str) -> None:
    with pytest.raises(RuleInvalid):
        compile_rules(Contract("t", 1, (ContractColumn("c", type_name),), rules=(rule,)))
