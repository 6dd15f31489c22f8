"""What a change of a contract means for rows that fit today and for who reads them, before any row is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal, InvalidOperation

from casparian_flow.core.amendments import (
    Add,
    Drop,
    Narrow,
    Op,
    Reclassify,
    Relax,
    Rename,
    SetDrift,
    SetTolerance,
    Tighten,
    Widen,
)
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.proofs import Verdicts
from casparian_flow.core.proposals import Risk, highest
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.core.tolerances import Outcome, Tolerance
from casparian_flow.core.treatments import Sensitivity, Treatment, treatment_in_force
from casparian_flow.core.types import parse_type
from casparian_flow.schema.amend import amended, changed, column_of

_NUMBERS = frozenset({"int64", "float64", "decimal"})
_NO_STRINGS = _NUMBERS | {"boolean", "list", "struct", "json"}
"""Types whose values are no strings in JSON."""
_STRICT = frozenset({Mode.FREEZE, Mode.QUARANTINE_ROW})
_SAFE = frozenset({Mode.PROPOSE, Mode.RESCUE_VALUE})
_PROTECTION = (
    Treatment.KEEP,
    Treatment.PARTIAL,
    Treatment.PSEUDONYM,
    Treatment.FIXED,
    Treatment.NULL,
    Treatment.DROP,
)
"""Treatments, what they tell of a value ever less."""


def verdicts(base: Contract, operations: Sequence[Op], as_json: Collection[str] = ()) -> Verdicts:
    """Whether every row that fits still fits, and whether new rows, cut to the old columns, would have fit before.

    Both are about files that have no columns but those of the base, in plain text or typed, but for the columns that
    are known to come `as_json`; where the answer cannot be known it is no. Raises what `amended` raises.
    """
    amended(base, operations)
    lost: list[str] = []
    broken: list[str] = []
    contract = base
    for operation in operations:
        lost += _fails(contract, operation)
        lost += [
            f"{column} comes as JSON, of which only strings are text"
            for column in no_text_as_json(contract, operation)
            if column in as_json
        ]
        broken += _breaks(contract, operation)
        contract = changed(contract, operation)
    if any(_lets_in(each) for each in operations):
        lost += [
            f"a row that fits now may take the key of another one: rule {rule.name}"
            for rule in base.rules
            if rule.kind is RuleKind.UNIQUE
        ]
    return Verdicts(reads_old=not lost, keeps_readers=not broken, because=tuple(dict.fromkeys([*lost, *broken])))


def risk_of(base: Contract, operations: Sequence[Op]) -> Risk:
    """The highest risk of any part; raises what `amended` raises."""
    amended(base, operations)
    risks = []
    contract = base
    for operation in operations:
        risks.append(_risk(contract, operation))
        contract = changed(contract, operation)
    return highest(risks)


def _fails(contract: Contract, operation: Op) -> Iterator[str]:
    """Why a row that fits the contract may not fit after the operation."""
    match operation:
        case Add(column=column) if not column.nullable:
            yield f"files without {column.name} have no value for it"
        case Widen():
            yield from _sets_in_text(contract, operation)
        case Narrow():
            yield f"not every {column_of(contract, operation.column).type} in {operation.column} is {operation.type}"
        case Tighten(rule=None):
            yield f"{operation.column} may be null in rows that fit"
        case Tighten(rule=Rule() as rule) if not is_weaker(contract, rule):
            yield f"rule {rule.name} is asked of rows that fit without it"
        case Relax(to=Rule() as rule) if not is_weaker(contract, rule):
            yield f"rule {rule.name} may refuse what it took before"
        case Drop() if dict(contract.drift).get(Axis.NEW_COLUMN) in _STRICT:
            yield f"files that have {operation.column} have a column then that the contract does not know"
        case SetDrift() if operation.mode is None or operation.mode in _STRICT:
            yield f"what happens on the axis {operation.axis} becomes stricter, or nobody knows what it is"


def no_text_as_json(contract: Contract, operation: Op) -> Iterator[str]:
    """The column that becomes text, if its values are no strings where they come as JSON: then they do not fit."""
    if not isinstance(operation, Widen) or parse_type(operation.type).name != "string":
        return
    if parse_type(column_of(contract, operation.column).type).name in _NO_STRINGS:
        yield operation.column


def _sets_in_text(contract: Contract, operation: Widen) -> Iterator[str]:
    """As text a value that is written in another way is another value."""
    if parse_type(operation.type).name in _NUMBERS:
        return
    for rule in contract.rules:
        if rule.kind is RuleKind.SET and operation.column in rule.columns:
            yield f"rule {rule.name} would compare {operation.column} as text"


def _breaks(contract: Contract, operation: Op) -> Iterator[str]:
    """Why a row that fits after the operation may not have fit the contract, or lacks what readers know."""
    match operation:
        case Widen() | Narrow():
            yield f"{operation.column} is {column_of(contract, operation.column).type} to its readers"
        case Rename():
            yield f"readers know {operation.column} by that name"
        case Relax(column=str(name)):
            yield f"readers of {name} never met a null"
        case Relax():
            yield f"readers may rely on rule {operation.rule}"
        case Tighten(rule=Rule() as rule) if any(rule.name == each.name for each in contract.rules):
            yield f"readers may rely on rule {rule.name} as it was"
        case Drop():
            yield f"readers know {operation.column}"
        case Reclassify():
            column = column_of(contract, operation.column)
            if _treatment(column) is not treatment_in_force(operation.sensitivity, operation.treatment):
                yield f"what stands in {operation.column} changes"


def _lets_in(operation: Op) -> bool:
    """Whether rows may fit afterwards that did not fit before."""
    return not isinstance(operation, Add | Rename | Reclassify | SetTolerance)


def is_weaker(contract: Contract, rule: Rule) -> bool:
    """Whether a rule surely takes every value that the one of its name takes."""
    old = next((each for each in contract.rules if each.name == rule.name), None)
    if old is None or (old.kind, old.columns) != (rule.kind, rule.columns):
        return False
    if rule.kind is RuleKind.SET:
        return set(old.values) <= set(rule.values)
    if rule.kind in (RuleKind.RANGE, RuleKind.LENGTH):
        is_lower = rule.low is None or (old.low is not None and _at_most(rule.low, old.low))
        is_higher = rule.high is None or (old.high is not None and _at_most(old.high, rule.high))
        return is_lower and is_higher
    return old == rule


def _at_most(low: str, high: str) -> bool:
    """Whether one bound is not above another; where they are no numbers, only if they are the same text."""
    try:
        return Decimal(low) <= Decimal(high)
    except InvalidOperation:
        return low == high


def _risk(contract: Contract, operation: Op) -> Risk:
    match operation:
        case Add():
            # beside closed columns nobody knows what a new one holds: what was masked until now would be seen
            return Risk.ADDITIVE if operation.column.nullable and not contract.is_closed else Risk.RESTRICTIVE
        case Widen():
            return Risk.LOSSLESS if parse_type(operation.type).name in _NUMBERS else Risk.RESTRICTIVE
        case Relax():
            rule = operation.to
            return Risk.LOSSLESS if rule is None or is_weaker(contract, rule) else Risk.RESTRICTIVE
        case Drop():
            return Risk.DESTRUCTIVE
        case Reclassify():
            return Risk.DESTRUCTIVE if _opens(column_of(contract, operation.column), operation) else Risk.RESTRICTIVE
        case SetDrift():
            return Risk.LOSSLESS if operation.mode in _SAFE else Risk.RESTRICTIVE
        case SetTolerance():
            return Risk.RESTRICTIVE if _is_stricter(contract.tolerance, operation.tolerances) else Risk.LOSSLESS
        case _:
            return Risk.RESTRICTIVE


def _opens(column: ContractColumn, operation: Reclassify) -> bool:
    """Whether more of the values can be seen afterwards, anywhere."""
    classes = list(Sensitivity)
    now = treatment_in_force(operation.sensitivity, operation.treatment)
    return (
        classes.index(operation.sensitivity) < classes.index(Sensitivity(column.sensitivity))
        or _PROTECTION.index(now) < _PROTECTION.index(_treatment(column))
        or (now is _treatment(column) is Treatment.PARTIAL and operation.argument != column.treatment_argument)
    )


def _treatment(column: ContractColumn) -> Treatment:
    return treatment_in_force(column.sensitivity, column.treatment)


def _is_stricter(old: Sequence[Tolerance], new: Sequence[Tolerance]) -> bool:
    """Whether a file may be held or fail that went through before."""
    return any(
        each.outcome is not Outcome.CONTINUE
        and not any(known.per is each.per and _allows_no_more(known, each) for known in old)
        for each in new
    )


def _allows_no_more(known: Tolerance, other: Tolerance) -> bool:
    """Whether whatever goes beyond the other goes beyond the known one, too."""
    if known.outcome is Outcome.CONTINUE or known.min_sample > other.min_sample:
        return False
    if known.outcome is Outcome.HOLD and other.outcome is Outcome.FAIL:
        return False
    rows = other.rows is None or (known.rows is not None and known.rows <= other.rows)
    ratio = other.ratio is None or (known.ratio is not None and known.ratio <= other.ratio)
    return rows and ratio
