"""Contracts: which schema each table has, and how it came to have it."""

from __future__ import annotations

from typing import Any

from casparian_flow.core.contracts import ContractState
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
    """One contract: its number, or a table and, if not the one in force, a version."""

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


class ContractDetail(Reply, frozen=True, kw_only=True):
    """One contract with its columns and the evidence for it.

    `state_version` names what the contract is now: a decision may be asked for under the condition that it still is.
    """

    contract: ContractEntry
    state_version: str
    hash: str
    digest: str
    decision_reason: str | None
    fields: list[ContractField]
    evidence: Any


class ApproveContract(Request, frozen=True, kw_only=True):
    """The proposed contract to put in force, and the reason that is kept with the decision.

    `if_version` is the `state_version` under which the asker saw it: if it moved since, nothing is decided.
    """

    contract: int
    reason: str = ""
    if_version: str | None = None


class Approved(Reply, frozen=True, kw_only=True):
    """The contract that is in force now; `digest` is what the approval is bound to."""

    contract: int
    table: str
    version: int
    digest: str
    decided_by: str


OPERATIONS = (
    Operation("contract.list", ListContracts, ContractList, Effect.READ, "contract.list_", "Contracts by table."),
    Operation(
        "contract.approve", ApproveContract, Approved, Effect.APPROVE, "contract.approve", "Put a contract in force."
    ),
    Operation(
        "contract.show",
        ShowContract,
        ContractDetail,
        Effect.READ,
        "contract.show",
        "One contract and its columns.",
        version_at="state_version",
    ),
)
