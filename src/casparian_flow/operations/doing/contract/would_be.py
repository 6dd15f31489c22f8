"""The contract that a table would have if a proposal were applied, beside the one that it would change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.amendment_text import tolerance_text
from casparian_flow.core.contract_text import verified
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import NotFound
from casparian_flow.core.proposal_bodies import Amendment, FirstContract, body_of
from casparian_flow.core.proposal_text import column_text
from casparian_flow.core.proposals import Kind, label
from casparian_flow.core.rule_text import rule_text
from casparian_flow.operations.contract.contracts import ContractChange
from casparian_flow.operations.doing.approval.proposal_view import number
from casparian_flow.schema.amend import amended
from casparian_flow.store.views import contracts as view
from casparian_flow.store.views import proposals as proposal_view

_NAME = re.compile(r"[A-Za-z]-[0-9]{1,18}")
"""How a proposal is named; the name of no table looks so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldBe:
    """A contract that somebody proposed: `base` is the row of the one that it changes, None for a table's first."""

    proposal: RowMapping
    contract: Contract
    base: RowMapping | None

    @property
    def changes(self) -> list[ContractChange]:
        """What is otherwise than in the base; of a first contract nothing is."""
        return [] if self.base is None else list(changes_between(_contract(self.base), self.contract))


def is_proposal(named: str) -> bool:
    """Whether a word names a proposal, such as A-8, and no contract or table."""
    return _NAME.fullmatch(named) is not None


def would_be(connection: Connection, named: str) -> WouldBe:
    """What a proposal makes of a contract; raises NotFound if there is none of that name, or it is about none."""
    proposal = proposal_view.by_number(connection, number(connection, named))
    assert proposal is not None
    body = body_of(proposal["body"])
    if isinstance(body, FirstContract):
        return WouldBe(proposal=proposal, contract=body.contract, base=None)
    name = label(Kind(proposal["kind"]), proposal["id"])
    if not isinstance(body, Amendment):
        raise NotFound(f"{name} is about no contract", fix=f"casparian approval show {name}")
    versions = view.of_table(connection, proposal["table_name"])
    base = next((row for row in versions if row["hash"] == proposal["base_digest"]), None)
    if base is None:
        raise NotFound(f"the contract that {name} changes is not there any more", fix="casparian contract list")
    return WouldBe(proposal=proposal, contract=amended(_contract(base), body.operations), base=base)


def changes_between(base: Contract, new: Contract) -> Iterator[ContractChange]:
    """Columns, rules, modes and tolerance that are not in both alike, in the order of the new contract, then the old.

    A column that is renamed is one column.
    """
    before = {column.name: column for column in base.columns}
    came_from = {column.name: _older_name(column, before, new) for column in new.columns}
    for column in new.columns:
        old = before.get(came_from[column.name] or "")
        said, says = None if old is None else _column(old), _column(column)
        if said != says:
            yield ContractChange(what="column", before=said, after=says)
    for old in base.columns:
        if old.name not in came_from.values():
            yield ContractChange(what="column", before=_column(old), after=None)
    yield from _by_name(
        "rule",
        {rule.name: rule_text(rule) for rule in base.rules},
        {rule.name: rule_text(rule) for rule in new.rules},
    )
    yield from _by_name(
        "drift",
        {axis.value: f"{axis}={mode}" for axis, mode in base.drift},
        {axis.value: f"{axis}={mode}" for axis, mode in new.drift},
    )
    limits = [" ".join(map(tolerance_text, each.tolerance)) or None for each in (base, new)]
    if limits[0] != limits[1]:
        yield ContractChange(what="tolerance", before=limits[0], after=limits[1])


def _older_name(column: ContractColumn, before: dict[str, ContractColumn], new: Contract) -> str | None:
    if column.name in before:
        return column.name
    return next((alias for alias in column.aliases if alias in before and alias not in new.names), None)


def _column(column: ContractColumn) -> str:
    treatment = [column.treatment, column.treatment_argument]
    return " ".join([column_text(column), *(each for each in treatment if each is not None)])


def _by_name(what: str, before: dict[str, str], after: dict[str, str]) -> Iterator[ContractChange]:
    for name in dict.fromkeys([*after, *before]):
        if before.get(name) != after.get(name):
            yield ContractChange(what=what, before=before.get(name), after=after.get(name))


def _contract(row: RowMapping) -> Contract:
    return verified(row["body"], row["hash"])
