"""Rules that refer to other tables, asked together with the contracts of these."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import RuleInvalid
from casparian_flow.core.rules import Rule, RuleKind


def check_references(
    contract: Contract, in_force: Mapping[str, Contract], sinks: Mapping[str, Collection[str]]
) -> None:
    """Raises RuleInvalid unless every rule that leads into the table or out of it makes sense beside the others.

    A rule refers to columns of the same types of a table that has a contract, and no way leads back to where it began:
    then each table would wait for the other. A rule that is new refers to a table that is in one of the sinks of its
    own, as far as `sinks` knows of both: whoever reads the one finds the other beside it.
    """
    after = {**in_force, contract.table: contract}
    for other in after.values():
        for rule in _references(other):
            if contract.table in (other.table, rule.table):
                _check(rule, other, after)
                if other.table not in in_force or rule not in in_force[other.table].rules:
                    _check_sinks(rule, other.table, sinks)
    _check_no_way_back(contract.table, after)


def _references(contract: Contract) -> Iterator[Rule]:
    return (rule for rule in contract.rules if rule.kind is RuleKind.REFERENCE)


def _check(rule: Rule, contract: Contract, after: Mapping[str, Contract]) -> None:
    where = f"rule {rule.name} of {contract.table}"
    target = after.get(rule.table or "")
    if target is None:
        raise RuleInvalid(f"{where} refers to {rule.table!r}, which has no contract", fix="casparian contract list")
    mine = {column.name: column for column in contract.columns}
    theirs = {column.name: column for column in target.columns}
    for own, referred in zip(rule.columns, rule.references, strict=True):
        if referred not in theirs:
            raise RuleInvalid(f"{where} refers to {referred!r}, which {target.table} does not have")
        if mine[own].type != theirs[referred].type:
            raise RuleInvalid(
                f"{where} compares {own}, which is {mine[own].type}, with {referred}, which is {theirs[referred].type}"
            )


def _check_sinks(rule: Rule, table: str, sinks: Mapping[str, Collection[str]]) -> None:
    mine, theirs = (sorted(sinks.get(each, ())) for each in (table, rule.table or ""))
    if mine and theirs and not set(mine) & set(theirs):
        raise RuleInvalid(
            f"rule {rule.name} of {table} refers to {rule.table}, which is in no sink that {table} is in",
            why=f"{table} is in {', '.join(mine)}; {rule.table} is in {', '.join(theirs)}",
            fix=f"casparian topic set {rule.table} --sink {shlex.quote(theirs[0])} --sink {shlex.quote(mine[0])}",
        )


def _check_no_way_back(table: str, after: Mapping[str, Contract]) -> None:
    seen: set[str] = set()
    ahead = [table]
    while ahead:
        contract = after.get(ahead.pop())
        for rule in _references(contract) if contract else ():
            if rule.table == table:
                raise RuleInvalid(f"rule {rule.name} leads back to {table}: each table would wait for the other")
            if rule.table is not None and rule.table not in seen:
                seen.add(rule.table)
                ahead.append(rule.table)
