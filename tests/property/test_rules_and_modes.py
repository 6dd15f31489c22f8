"""Rules and drift modes against an oracle that judges row by row; how rows are cut changes nothing."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Mode, Modes
from casparian_flow.core.lineage import RESCUED
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.schema.validate import Validator

COLUMNS = {"i": "int64", "f": "float64", "s": "string"}
CELLS = {
    "i": st.none() | st.sampled_from(["-3", "0", "2", "7", "x", "1.5"]),
    "f": st.none() | st.sampled_from([-1.5, 0.0, 2.5, math.nan, math.inf]),
    "s": st.none() | st.sampled_from(["", "a", "ab", "abc", "äö", "A"]),
    "z": st.none() | st.sampled_from(["new", "1"]),
}
RULES = st.lists(
    st.sampled_from(
        [
            Rule("i_low", RuleKind.RANGE, ("i",), low="0"),
            Rule("i_both", RuleKind.RANGE, ("i",), low="-1", high="5"),
            Rule("i_set", RuleKind.SET, ("i",), values=("0", "7")),
            Rule("f_high", RuleKind.RANGE, ("f",), high="2"),
            Rule("s_like", RuleKind.PATTERN, ("s",), pattern="a.*|ä."),
            Rule("s_length", RuleKind.LENGTH, ("s",), low="1", high="2"),
        ]
    ),
    unique=True,
    max_size=6,
)
MODES = st.builds(
    Modes,
    new_column=st.sampled_from([Mode.PROPOSE, Mode.QUARANTINE_ROW, Mode.RESCUE_VALUE]),
    type=st.sampled_from([Mode.PROPOSE, Mode.EVOLVE, Mode.RESCUE_VALUE]),
    rule=st.sampled_from([Mode.PROPOSE, Mode.QUARANTINE_ROW, Mode.RESCUE_VALUE]),
)
CONTRACTS = st.builds(
    lambda nullable, rules: Contract(
        "t",
        1,
        tuple(ContractColumn(name, kind, nullable=name in nullable) for name, kind in COLUMNS.items()),
        rules=tuple(rules),
    ),
    st.sets(st.sampled_from(list(COLUMNS))),
    RULES,
)
ROWS = st.lists(st.fixed_dictionaries(CELLS), max_size=12)


def value_of(column: str, cell: Any) -> Any:
    """The cell in its column's type; raises ValueError. Numbers of column `f` come as such."""
    return int(cell) if column == "i" else cell


def breaks(rule: Rule, value: Any) -> bool:
    match rule.name:
        case "i_low":
            return bool(value < 0)
        case "i_both":
            return not -1 <= value <= 5
        case "i_set":
            return value not in (0, 7)
        case "f_high":
            return math.isnan(value) or value > 2
        case "s_like":
            return not (value.startswith("a") or (value.startswith("ä") and len(value) == 2))
        case _:
            return not 1 <= len(value) <= 2


def judged(row: dict[str, Any], contract: Contract, modes: Modes) -> tuple[list[tuple[str, str]], Any, Any]:
    """What becomes of one row: its errors as (code, column), else its values and what is rescued of it."""
    errors, values, rescued = [], {}, []
    for column in contract.columns:
        cell = row[column.name]
        values[column.name] = None
        if cell is None:
            if not column.nullable:
                errors.append(("cf.null", column.name))
            continue
        try:
            values[column.name] = value_of(column.name, cell)
        except ValueError:
            code = f"cf.cast.{column.type}"
            if modes.type is Mode.RESCUE_VALUE and column.nullable:
                rescued.append((column.name, cell, code))
            else:
                errors.append((code, column.name))
    for rule in contract.rules:
        [name] = rule.columns
        value = values[name]
        if value is None or not breaks(rule, value):
            continue
        if modes.rule is Mode.RESCUE_VALUE and next(c for c in contract.columns if c.name == name).nullable:
            values[name] = None
            rescued.append((name, str(row[name]), rule.code))
        else:
            errors.append((rule.code, name))
    if (new := row["z"]) is not None:
        if modes.new_column is Mode.QUARANTINE_ROW:
            errors.append(("cf.column.new", "z"))
        else:
            rescued.append(("z", new, "cf.column.new"))
    return errors, values, rescued


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    kinds = {name: pa.float64() if name == "f" else pa.string() for name in CELLS}
    return pa.record_batch({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})


@settings(max_examples=150, deadline=None)
@given(CONTRACTS, MODES, ROWS)
def test_every_row_fares_as_it_does_by_itself(contract: Contract, modes: Modes, rows: list[dict[str, Any]]) -> None:
    numbers = pa.array(range(5, 5 + len(rows)), pa.int64())
    found = Validator(contract, modes).validate(batch_of(rows), numbers)
    found.accepted.validate(full=True)
    accepted = dict(zip(found.accepted_row.to_pylist(), found.accepted.to_pylist(), strict=True))
    rejected = dict(zip(found.rejected_row.to_pylist(), found.rejected.to_pylist(), strict=True))
    assert len(accepted) + len(rejected) == len(rows)
    kept = 0
    for number, row in zip(numbers.to_pylist(), rows, strict=True):
        errors, values, rescued = judged(row, contract, modes)
        if errors:
            assert [(error["code"], error["column"]) for error in rejected[number]["errors"]] == errors
            continue
        kept += len(rescued)
        here = accepted[number]
        entries = [(entry["column"], entry["raw"], entry["code"]) for entry in here.pop(RESCUED) or []]
        assert (repr(here), entries) == (repr(values), rescued)
    assert kept == found.rescued


@settings(max_examples=60, deadline=None)
@given(CONTRACTS, MODES, ROWS, st.lists(st.integers(0, 12), max_size=3))
def test_how_rows_are_cut_changes_nothing(
    contract: Contract, modes: Modes, rows: list[dict[str, Any]], cuts: list[int]
) -> None:
    batch, numbers = batch_of(rows), pa.array(range(1, 1 + len(rows)), pa.int64())
    whole, parts = Validator(contract, modes, "blake3:11"), Validator(contract, modes, "blake3:11")
    expected = whole.validate(batch, numbers)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    found = [parts.validate(batch.slice(a, b - a), numbers.slice(a, b - a)) for a, b in pairwise(edges)]
    for side in ("accepted", "rejected"):
        assert pa.Table.from_batches([getattr(one, side) for one in found]).to_pylist().__repr__() == repr(
            getattr(expected, side).to_pylist()
        )
    assert parts.drift() == whole.drift()
    assert sum(one.rescued for one in found) == expected.rescued
