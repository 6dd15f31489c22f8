"""Every axis under every mode: what becomes of the row, and that what makes no sense is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core.contract_checks import check_contract
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import ALLOWED, Axis, Mode, Modes, check_mode
from casparian_flow.core.errors import ContractFrozen, UsageError
from casparian_flow.core.lineage import RESCUED
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.schema.validate import Validator

CONTRACT = Contract(
    "t",
    3,
    (ContractColumn("n", "int64"), ContractColumn("must", "string", nullable=False)),
    rules=(Rule("small", RuleKind.RANGE, ("n",), high="9"),),
)
FITS = {"n": "1", "must": "x"}
DIFFERS: dict[Axis, dict[str, str | None]] = {
    Axis.NEW_COLUMN: FITS | {"new": "v"},
    Axis.MISSING_COLUMN: {"n": "1"},
    Axis.TYPE: FITS | {"n": "one"},
    Axis.NULLABILITY: FITS | {"must": None},
    Axis.RULE: FITS | {"n": "10"},
}
CODES = {
    Axis.NEW_COLUMN: "cf.column.new",
    Axis.MISSING_COLUMN: "cf.column.missing",
    Axis.TYPE: "cf.cast.int64",
    Axis.NULLABILITY: "cf.null",
    Axis.RULE: "cf.rule.range",
}
KEPT = {Axis.NEW_COLUMN: ("new", "v"), Axis.TYPE: ("n", "one"), Axis.RULE: ("n", "10")}
"""Column and raw text of what is rescued."""


def judge(axis: Axis, mode: Mode, contract: Contract = CONTRACT) -> tuple[Validator, Any]:
    """One row that differs on the axis and one that fits."""
    validator = Validator(contract, replace(Modes(), **{axis.value: mode}))
    columns = {name: pa.array([cell], pa.string()) for name, cell in DIFFERS[axis].items()}
    found = validator.validate(pa.record_batch(columns), pa.array([7]))
    validator.conclude()
    return validator, found


@pytest.mark.parametrize("axis", list(DIFFERS))
@pytest.mark.parametrize("mode", list(Mode))
def test_every_axis_does_what_its_mode_says(axis: Axis, mode: Mode) -> None:
    if mode not in ALLOWED[axis]:
        with pytest.raises(UsageError):
            check_mode(axis, mode)
        with pytest.raises(UsageError):
            check_contract(replace(CONTRACT, drift=((axis, mode),)))
        return
    check_contract(replace(CONTRACT, drift=((axis, mode),)))
    if mode is Mode.FREEZE:
        with pytest.raises(ContractFrozen, match="is frozen: "):
            judge(axis, mode)
        return
    validator, found = judge(axis, mode)
    [note] = validator.drift()
    assert (note.axis, note.rows, note.source_row) == (axis.value, 1, 7)
    is_rescued = mode is Mode.RESCUE_VALUE or (axis is Axis.NEW_COLUMN and mode is not Mode.QUARANTINE_ROW)
    if is_rescued:
        [entry] = found.accepted[RESCUED][0].as_py()
        assert (entry["column"], entry["raw"]) == KEPT[axis]
        assert entry["code"] == CODES[axis]
        assert found.rejected.num_rows == 0 and found.rescued == 1
    else:
        assert found.accepted.num_rows == 0
        assert found.rejected["code"].to_pylist() == [CODES[axis]]


@pytest.mark.parametrize("axis", list(DIFFERS))
def test_a_table_goes_before_the_settings(axis: Axis) -> None:
    contract = replace(CONTRACT, drift=((axis, Mode.QUARANTINE_ROW),))
    _, found = judge(axis, Mode.FREEZE, contract)
    assert found.rejected["code"].to_pylist() == [CODES[axis]]


@pytest.mark.parametrize("axis", [Axis.TYPE, Axis.RULE])
def test_the_row_goes_where_its_value_may_not_be_null(axis: Axis) -> None:
    columns = (replace(CONTRACT.columns[0], nullable=False), CONTRACT.columns[1])
    _, found = judge(axis, Mode.RESCUE_VALUE, replace(CONTRACT, columns=columns))
    assert found.rejected["code"].to_pylist() == [CODES[axis]]


def test_a_column_that_may_be_null_is_missing_only_if_the_whole_file_lacks_it() -> None:
    contract = replace(CONTRACT, drift=((Axis.MISSING_COLUMN, Mode.FREEZE),))
    lacks, has = (pa.record_batch({name: ["1"] for name in names}) for names in (["must"], ["must", "n"]))
    validator = Validator(contract)
    validator.validate(lacks, pa.array([1]))
    with pytest.raises(ContractFrozen, match="no column 'n'"):
        validator.conclude()
    validator.validate(has, pa.array([2]))
    validator.conclude()


def test_an_older_name_fits_and_the_newer_one_goes_before_it() -> None:
    contract = Contract("t", 1, (ContractColumn("new", "int64", aliases=("older", "old")),))
    for name in ("new", "older", "old"):
        found = Validator(contract).validate(pa.record_batch({name: ["5"]}), pa.array([1]))
        assert found.accepted.to_pylist() == [{"new": 5, RESCUED: None}]
    both = Validator(contract).validate(pa.record_batch({"old": ["1"], "new": ["2"]}), pa.array([1]))
    assert both.accepted["new"].to_pylist() == [2]
    assert both.accepted[RESCUED][0].as_py() == [{"column": "old", "raw": "1", "code": "cf.column.new"}]


def test_values_of_every_type_can_be_rescued() -> None:
    contract = Contract(
        "t",
        1,
        (ContractColumn("l", "list<int64>"), ContractColumn("b", "binary")),
        rules=tuple(Rule(f"short_{name}", RuleKind.LENGTH, (name,), high="1") for name in "lb"),
        drift=((Axis.RULE, Mode.RESCUE_VALUE),),
    )
    batch = pa.record_batch({"l": pa.array([[1, 2], [3], None]), "b": pa.array([b"a", b"bc", None])})
    found = Validator(contract).validate(batch, pa.array([1, 2, 3]))
    assert found.accepted.drop_columns([RESCUED]).to_pylist() == [
        {"l": None, "b": b"a"},
        {"l": [3], "b": None},
        {"l": None, "b": None},
    ]
    assert [row and (row[0]["column"], row[0]["raw"]) for row in found.accepted[RESCUED].to_pylist()] == [
        ("l", "[1,2]"),
        ("b", "6263"),
        None,
    ]
