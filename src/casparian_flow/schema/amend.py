"""A contract changed by typed operations."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace

from casparian_flow.core.amendment_text import described
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
from casparian_flow.core.contract_checks import check_contract
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.errors import INSTEAD, UsageError
from casparian_flow.core.lineage import reserved_names
from casparian_flow.core.rules import Rule
from casparian_flow.core.treatments import Treatment
from casparian_flow.schema.lattice import holds
from casparian_flow.schema.notes import without_value
from casparian_flow.schema.validate import Validator


def amended(base: Contract, operations: Iterable[Op]) -> Contract:
    """The next version of a contract, changed by these operations in this order.

    Raises UsageError, of rules RuleInvalid, for what cannot be done to it, for what changes nothing, and where the
    result could not be kept.
    """
    contract = base
    for operation in operations:
        contract = changed(contract, operation)
    if contract == base:
        raise UsageError(f"nothing is asked of {base.table}", fix="say what changes, such as --add COLUMN:TYPE")
    contract = replace(contract, version=base.version + 1, origin=Origin.APPROVED, earlier=_earlier(base, contract))
    check_contract(contract)
    Validator(contract)  # it knows which types and formats can be read
    return contract


def _earlier(base: Contract, contract: Contract) -> tuple[tuple[str, ...], ...]:
    """The columns of the versions before a changed contract; a version that only renamed some has none of its own."""
    older = contract.older_names
    is_same = {older.get(name, name) for name in base.names} == set(contract.names)
    return base.earlier if is_same or not base.names else (base.names, *base.earlier)


def column_of(contract: Contract, name: str) -> ContractColumn:
    """The column of that name; raises UsageError if there is none."""
    for column in contract.columns:
        if column.name == name:
            return column
    raise UsageError(f"{contract.table} has no column {name!r}", why=f"it has {', '.join(contract.names)}")


def rule_of(contract: Contract, name: str) -> Rule:
    """The rule of that name; raises UsageError if there is none."""
    for rule in contract.rules:
        if rule.name == name:
            return rule
    raise UsageError(
        f"{contract.table} has no rule {name!r}", why=f"it has {', '.join(r.name for r in contract.rules) or 'none'}"
    )


def changed(contract: Contract, operation: Op) -> Contract:
    """The contract after one operation, which must do something; whether it could be kept is not asked here."""
    after = _after(contract, operation)
    if after == contract:
        raise UsageError(f"{described(operation)} changes nothing: {contract.table} is so already")
    return after


def _instead(option: str, refused: str) -> str:
    """What to ask for in place of an option that names a column: a client puts the one where the other is."""
    return f"{option} {INSTEAD} {refused}"


def _typed(column: ContractColumn) -> str:
    """A column and its type, as options say them."""
    return f"{column.name}:{column.type}" + (f" {column.format}" if column.format else "")


def _after(contract: Contract, operation: Op) -> Contract:
    match operation:
        case Add():
            return _added(contract, operation.column)
        case Widen() | Narrow():
            return _retyped(contract, operation)
        case Rename():
            return _renamed(contract, operation.column, operation.to)
        case Relax():
            return _relaxed(contract, operation)
        case Tighten():
            return _tightened(contract, operation)
        case Drop():
            return _dropped(contract, operation.column)
        case Reclassify():
            column = column_of(contract, operation.column)
            asked = replace(column, sensitivity=operation.sensitivity, treatment=operation.treatment)
            after = replace(asked, treatment_argument=operation.argument)
            told = without_value(column.note) if after.is_closed else column.note
            return _with(contract, column, replace(after, note=told))
        case SetDrift():
            others = tuple(each for each in contract.drift if each[0] is not operation.axis)
            own = () if operation.mode is None else ((operation.axis, operation.mode),)
            return replace(contract, drift=tuple(sorted((*others, *own))))
        case SetTolerance():
            return replace(contract, tolerance=operation.tolerances)


def _with(contract: Contract, old: ContractColumn, new: ContractColumn) -> Contract:
    return replace(contract, columns=tuple(new if column is old else column for column in contract.columns))


def _added(contract: Contract, column: ContractColumn) -> Contract:
    if not column.name or reserved_names([column.name]):
        raise UsageError(f"{column.name!r} cannot name a column")
    place = f"column_{len(contract.columns) + 1}"
    if contract.headerless and column.name.startswith("column_") and column.name != place:
        raise UsageError(f"the files of {contract.table} name no columns, so that the next one is {place}")
    return replace(contract, columns=(*contract.columns, column))


def _retyped(contract: Contract, operation: Widen | Narrow) -> Contract:
    column = column_of(contract, operation.column)
    new = replace(column, type=operation.type, format=operation.format, note="")
    is_wider = holds(new.type, column.type) and (new.format == column.format or new.type == "string")
    if isinstance(operation, Widen) and not is_wider:
        raise UsageError(
            f"not every value of {column.name} fits {new.type}: it is {column.type}",
            fix=_instead(f"--narrow {shlex.quote(_typed(new))}", f"--widen {shlex.quote(new.name)}"),
        )
    return _with(contract, column, new) if (new.type, new.format) != (column.type, column.format) else contract


def _renamed(contract: Contract, name: str, to: str) -> Contract:
    column = column_of(contract, name)
    if not to or reserved_names([to]):
        raise UsageError(f"{to!r} cannot name a column")
    if name == to:
        return contract
    if to in contract.names:
        raise UsageError(
            f"{contract.table} has a column {to} already",
            why=f"a file that has {name} would fill it, were it dropped first",
            fix=shlex.join(
                ["casparian", "contract", "amend", contract.table, "--drop", to, "--rename", f"{name}={to}"]
            ),
        )
    older = () if contract.headerless else tuple(each for each in (*column.aliases, name) if each != to)
    rules = tuple(
        replace(rule, columns=tuple(to if each == name else each for each in rule.columns)) for rule in contract.rules
    )
    return replace(_with(contract, column, replace(column, name=to, aliases=older)), rules=rules)


def _relaxed(contract: Contract, operation: Relax) -> Contract:
    if operation.column is not None:
        column = column_of(contract, operation.column)
        return _with(contract, column, replace(column, nullable=True))
    rule = rule_of(contract, operation.rule or "")
    if operation.to is None:
        return replace(contract, rules=tuple(each for each in contract.rules if each is not rule))
    if operation.to.name != rule.name:
        raise UsageError(f"rule {rule.name} does not become rule {operation.to.name} by being relaxed")
    return _with_rule(contract, operation.to)


def _tightened(contract: Contract, operation: Tighten) -> Contract:
    if operation.column is not None:
        column = column_of(contract, operation.column)
        return _with(contract, column, replace(column, nullable=False))
    if operation.rule is None:
        raise UsageError("neither a column nor a rule is to be tightened")
    return _with_rule(contract, operation.rule)


def _with_rule(contract: Contract, rule: Rule) -> Contract:
    if any(each.name == rule.name for each in contract.rules):
        return replace(contract, rules=tuple(rule if each.name == rule.name else each for each in contract.rules))
    return replace(contract, rules=(*contract.rules, rule))


def _dropped(contract: Contract, name: str) -> Contract:
    column = column_of(contract, name)
    if column.treated is Treatment.DROP:
        raise UsageError(
            f"the table {contract.table} has no column {name!r} already",
            why="its contract has to know it, so that the values that files have are kept nowhere",
        )
    if column.is_closed:
        raise UsageError(
            f"{name} is closed: without it the values that files have would be those of a new column, in clear",
            fix=_instead(
                f"--reclassify {shlex.quote(f'{name}={column.sensitivity}:{Treatment.DROP}')}",
                f"--drop {shlex.quote(name)}",
            ),
        )
    if about := [rule.name for rule in contract.rules if name in rule.columns]:
        raise UsageError(
            f"rule {about[0]} is about {name}", fix=" ".join(f"--relax {shlex.quote(rule)}" for rule in about)
        )
    if contract.headerless and column is not contract.columns[-1]:
        raise UsageError(f"the files of {contract.table} name no columns: only the last one can go")
    return replace(contract, columns=tuple(each for each in contract.columns if each is not column))
