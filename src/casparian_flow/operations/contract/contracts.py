"""Contracts: which schema each table has, and how it came to have it."""

from __future__ import annotations

from typing import Any

import msgspec

from casparian_flow.core.contracts import ContractState
from casparian_flow.operations.approval.proposals import Decided, Reason, Signature
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListContracts(Request, frozen=True, kw_only=True):
    """Contracts in these states; without any those that are in force or may come to be."""

    states: tuple[ContractState, ...] = ()


class ContractEntry(Reply, frozen=True, kw_only=True):
    """One contract. `decided` is null while a person has to."""

    id: int
    table: str
    version: int
    state: str
    origin: str
    columns: int
    proposed: str
    proposed_by: str
    decided: str | None
    decided_by: str | None


class ContractList(Reply, frozen=True, kw_only=True):
    """Contracts by table, the newest version first."""

    contracts: list[ContractEntry]


class ShowContract(Request, frozen=True, kw_only=True):
    """One contract: its number, or a table and, if not the one in force, a version.

    Or a proposal such as A-8: the contract that it would put in force.
    """

    contract: str
    version: int | None = None


class ContractField(Reply, frozen=True, kw_only=True):
    """One column of a contract."""

    name: str
    type: str
    nullable: bool
    format: str | None
    sensitivity: str
    original: str | None
    note: str


class ContractChange(Reply, frozen=True, kw_only=True):
    """A column, rule, mode or tolerance that a proposal changes, in words; `before` is null for one that is new."""

    what: str
    before: str | None
    after: str | None


class ContractDetail(Reply, frozen=True, kw_only=True):
    """One contract with its columns and the evidence for it.

    `state_version` names what the contract is now: a decision may be asked for under the condition that it still is.
    `proposal` is what put it in force, or would; null for contracts of the first releases.
    `rules` are written as `contract amend --rule` takes them; `drift` has the modes of the table's own, by axis;
    `tolerance` its own limits of rejected rows, as `contract amend --tolerance` takes them.
    Of a contract that is only proposed (`is_proposed`), `changes` say how it differs from the one that it changes,
    whose number it has (0 for a first one); state, origin and `digest` are those of the proposal.
    """

    contract: ContractEntry
    state_version: str
    hash: str
    digest: str
    proposal: str | None
    is_self_approved: bool
    decision_reason: str | None
    fields: list[ContractField]
    rules: list[str]
    drift: dict[str, str]
    tolerance: list[str]
    evidence: Any
    is_proposed: bool = False
    changes: list[ContractChange] = msgspec.field(default_factory=list)


class ApproveContract(Request, frozen=True, kw_only=True):
    """Agree to the proposal behind a contract that waits: as `approval.approve`, named by the contract's number."""

    contract: int
    digest: str
    reason: Reason = ""
    at: int
    key: str
    signature: Signature
    if_version: str | None = None


OPERATIONS = (
    Operation(
        "contract.list", ListContracts, ContractList, Effect.READ, "contract.contracts.list_", "Contracts by table."
    ),
    Operation(
        "contract.approve",
        ApproveContract,
        Decided,
        Effect.APPROVE,
        "approval.deciding.approve_contract",
        "Put a contract in force.",
    ),
    Operation(
        "contract.show",
        ShowContract,
        ContractDetail,
        Effect.READ,
        "contract.shown.show",
        "One contract and its columns.",
        version_at="state_version",
    ),
)
