"""The operations by which one contract becomes another, as far as there are any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
from casparian_flow.core.treatments import Sensitivity
from casparian_flow.schema.amend import changed
from casparian_flow.schema.lattice import holds


def operations_between(base: Contract, wanted: Contract) -> tuple[tuple[Op, ...], list[str]]:
    """The operations in an order in which each can be done, and what no operation changes.

    Raises UsageError where one of them cannot be done to the contract.
    """
    operations: list[Op] = []
    contract = base
    for step in (_renames, _rules_gone, _drops, _adds, _columns, _rules, _modes):
        for operation in step(contract, wanted):
            contract = changed(contract, operation)
            operations.append(operation)
    return tuple(operations), list(_left(contract, wanted))


def with_what_is_unsaid(base: Contract, said: Contract) -> Contract:
    """A contract of a file that cannot say everything: what it has no word for stays as it is in force.

    Such a file does not lower a class by leaving it out.
    """
    known = {column.name: column for column in base.columns}
    columns = []
    for column in said.columns:
        old = known.get(column.name)
        if old is not None:
            is_silent = column.sensitivity == Sensitivity.INTERNAL
            column = replace(
                column,
                sensitivity=old.sensitivity if is_silent else column.sensitivity,
                treatment=old.treatment,
                treatment_argument=old.treatment_argument,
                aliases=old.aliases,
            )
        columns.append(column)
    return replace(
        said,
        columns=tuple(columns),
        rules=base.rules,
        drift=base.drift,
        tolerance=base.tolerance,
        takes_undeclared=base.takes_undeclared,
        earlier=base.earlier,
    )


def _renames(base: Contract, wanted: Contract) -> Iterator[Op]:
    gone = set(base.names) - set(wanted.names)
    for column in wanted.columns:
        older = [name for name in column.aliases if name in gone]
        if column.name not in base.names and older:
            gone.discard(older[0])
            yield Rename(column=older[0], to=column.name)


def _rules_gone(base: Contract, wanted: Contract) -> Iterator[Op]:
    kept = {rule.name for rule in wanted.rules}
    for rule in base.rules:
        if rule.name not in kept:
            yield Relax(rule=rule.name)


def _drops(base: Contract, wanted: Contract) -> Iterator[Op]:
    for name in reversed(base.names):
        if name not in wanted.names:
            yield Drop(column=name)


def _adds(base: Contract, wanted: Contract) -> Iterator[Op]:
    for column in wanted.columns:
        if column.name not in base.names:
            yield Add(column=column)


def _columns(base: Contract, wanted: Contract) -> Iterator[Op]:
    known = {column.name: column for column in base.columns}
    for column in wanted.columns:
        yield from _column(known[column.name], column)


def _column(old: ContractColumn, new: ContractColumn) -> Iterator[Op]:
    if (old.type, old.format) != (new.type, new.format):
        is_wider = holds(new.type, old.type) and (new.format == old.format or new.type == "string")
        yield (Widen if is_wider else Narrow)(column=new.name, type=new.type, format=new.format)
    if old.nullable != new.nullable:
        yield Relax(column=new.name) if new.nullable else Tighten(column=new.name)
    if _class(old) != _class(new):
        yield Reclassify(
            column=new.name,
            sensitivity=Sensitivity(new.sensitivity),
            treatment=new.treatment,
            argument=new.treatment_argument,
        )


def _class(column: ContractColumn) -> tuple[str, str | None, str | None]:
    return column.sensitivity, column.treatment, column.treatment_argument


def _rules(base: Contract, wanted: Contract) -> Iterator[Op]:
    known = {rule.name: rule for rule in base.rules}
    for rule in wanted.rules:
        if known.get(rule.name) != rule:
            yield Tighten(rule=rule)


def _modes(base: Contract, wanted: Contract) -> Iterator[Op]:
    asked, known = dict(wanted.drift), dict(base.drift)
    for axis in sorted(asked.keys() | known.keys()):
        if asked.get(axis) != known.get(axis):
            yield SetDrift(axis=axis, mode=asked.get(axis))
    if wanted.tolerance != base.tolerance:
        yield SetTolerance(tolerances=wanted.tolerance)


def _left(contract: Contract, wanted: Contract) -> Iterator[str]:
    if contract.names != wanted.names:
        yield "the order of the columns stays as it is"
    if [rule.name for rule in contract.rules] != [rule.name for rule in wanted.rules]:
        yield "the order of the rules stays as it is"
    if contract.headerless != wanted.headerless:
        yield "whether its files name their columns stays as it is"
    known = {column.name: column for column in contract.columns}
    for column in wanted.columns:
        old = known[column.name]
        for name in ("description", "original", "note"):
            if getattr(old, name) != getattr(column, name):
                yield f"{name} of {column.name} stays as it is"
        if missing := [alias for alias in column.aliases if alias not in old.aliases]:
            yield f"{missing[0]!r} does not become an older name of {column.name}"
