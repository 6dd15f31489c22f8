"""The change of a contract that would let in what drifted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from casparian_flow.core.amendments import Add, Drop, Narrow, Op, Relax, Tighten, Widen
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis
from casparian_flow.core.rules import Rule
from casparian_flow.core.treatments import Sensitivity, Treatment
from casparian_flow.core.types import parse_type
from casparian_flow.schema.lattice import holds, join
from casparian_flow.schema.notes import without_value
from casparian_flow.schema.survey import Survey

_RELAXED = frozenset({Axis.NULLABILITY, Axis.MISSING_COLUMN})


def change_wanted(contract: Contract, axis: Axis, column: str, rule: str, seen: Survey | None) -> tuple[Op, ...]:
    """What a draft of that cause asks for; nothing where no change of the contract helps, or it is so already.

    `seen` is what all drifting values look like, if that is known; `rule` is the one that refused them.
    """
    known = next((each for each in contract.columns if each.name == column), None)
    if axis is Axis.NEW_COLUMN:
        return () if known is not None else _added(contract, column, seen)
    if axis is Axis.RULE:
        return (Relax(rule=rule),) if any(each.name == rule for each in contract.rules) else ()
    if known is None:
        return ()
    if axis in _RELAXED:
        return () if known.nullable else (Relax(column=column),)
    return _retyped(known, seen) if axis is Axis.TYPE else ()


def cause_of(operation: Op) -> tuple[Axis, str, str] | None:
    """Axis, column and rule of the drift that asks for such an operation; None if none does."""
    match operation:
        case Add(column=column):
            return Axis.NEW_COLUMN, column.name, ""
        case Widen() | Narrow():
            return Axis.TYPE, operation.column, ""
        case Relax(column=str(column)):
            return Axis.NULLABILITY, column, ""
        case Relax():
            return Axis.RULE, "", operation.rule or ""
        case _:
            return None


def is_refused_by(operation: Op, contract: Contract, axis: Axis, column: str, rule: str) -> bool:
    """Whether the operation is what makes values of this cause not fit, and the contract still is as it left it."""
    known = next((each for each in contract.columns if each.name == column), None)
    match operation:
        case Narrow():
            is_so = known is not None and known.type == operation.type
            return is_so and axis is Axis.TYPE and operation.column == column
        case Tighten(rule=Rule() as added):
            return axis is Axis.RULE and rule == added.name and added in contract.rules
        case Tighten(column=str(name)) | Add(column=ContractColumn(name=name, nullable=False)):
            return axis in _RELAXED and name == column and known is not None and not known.nullable
        case Drop():
            return axis is Axis.NEW_COLUMN and operation.column == column and known is None
        case _:
            return False


def _added(contract: Contract, name: str, seen: Survey | None) -> tuple[Op, ...]:
    if contract.headerless and name != f"column_{len(contract.columns) + 1}":
        return ()  # its turn comes when those before it have their name
    if any(name in column.aliases for column in contract.columns):
        return ()
    column = ContractColumn(name, "string")
    if seen is not None and name in seen.columns:
        verdict = seen.verdicts()[seen.names.index(name)]
        original = verdict.original if verdict.original != name else None
        column = ContractColumn(name, verdict.type, format=verdict.format, original=original, note=verdict.note)
    return (Add(column=closed_as_any_of(column, [contract])),)


def closed_as_any_of(column: ContractColumn, beside: Iterable[Contract]) -> ContractColumn:
    """A column of which nobody said anything: as closed as the most closed one of the contracts beside it."""
    closed = [each for contract in beside for each in contract.columns if each.is_closed]
    if not closed:
        return column
    is_personal = all(each.sensitivity == Sensitivity.PERSONAL and each.treated is Treatment.KEEP for each in closed)
    sensitivity = Sensitivity.PERSONAL if is_personal else Sensitivity.SECRET
    return replace(column, sensitivity=sensitivity, note=without_value(column.note))


def _retyped(column: ContractColumn, seen: Survey | None) -> tuple[Op, ...]:
    found = None if seen is None else seen.columns.get(column.name)
    if found is None:
        wide = "string" if parse_type(column.type).name != "binary" else None
    else:
        wide = join(column.type, found)
    if wide is None or wide == column.type:
        return ()
    if holds(wide, column.type):
        return (Widen(column=column.name, type=wide),)
    return (Narrow(column=column.name, type=wide),)
