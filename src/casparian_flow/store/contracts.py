"""Contracts: drafted, proposed, applied; at most one in force per table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, insert, literal_column, select, update

from casparian_flow.core.contracts import Contract, ContractColumn, ContractState, Origin
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared
from casparian_flow.store.tables import contracts

IDS_IN_FORCE = Prepared(
    select(contracts.c.id).where(contracts.c.state == literal_column("'applied'")).order_by(contracts.c.id)
)
OF_VERSION = (
    select(contracts.c.body)
    .where(contracts.c.table_name == bindparam("table"), contracts.c.version == bindparam("number"))
    .where(contracts.c.state.in_((ContractState.APPLIED, ContractState.SUPERSEDED)))
    .order_by(contracts.c.decided_at_ns.desc())
    .limit(1)
)
IN_FORCE = select(contracts.c.body).where(contracts.c.state == literal_column("'applied'"))
PROPOSED = select(contracts.c.id, contracts.c.table_name).where(contracts.c.state == literal_column("'proposed'"))
BY_ID = select(contracts).where(contracts.c.id == bindparam("contract"))
WITHDRAW_PROPOSALS = (
    update(contracts)
    .where(contracts.c.table_name == bindparam("table"), contracts.c.state == literal_column("'proposed'"))
    .values(state=ContractState.VOID)
)
DECIDE = (
    update(contracts)
    .where(contracts.c.id == bindparam("contract"), contracts.c.state == literal_column("'proposed'"))
    .values(
        state=bindparam("to"),
        origin=Origin.APPROVED,
        decided_at_ns=bindparam("now_ns"),
        decided_by=bindparam("actor"),
        decision_reason=bindparam("reason"),
    )
)


def to_json(contract: Contract) -> str:
    """The contract as canonical text."""
    return json.dumps(asdict(contract), sort_keys=True, ensure_ascii=False)


def from_json(text: str) -> Contract:
    """The contract that a text from `to_json` stands for."""
    body = json.loads(text)
    columns = tuple(ContractColumn(**column) for column in body.pop("columns"))
    return Contract(**{**body, "columns": columns, "origin": Origin(body["origin"])})


def in_force(connection: Connection) -> dict[str, Contract]:
    """The applied contract of every table that has one."""
    found = (from_json(body) for (body,) in connection.execute(IN_FORCE))
    return {contract.table: contract for contract in found}


def ids_in_force(connection: Connection) -> list[int]:
    """By what a change of the contracts in force is noticed."""
    return [row.id for row in IDS_IN_FORCE.rows(connection)]


def of_version(connection: Connection, table: str, version: int) -> Contract | None:
    """The contract of a table that was in force under that number."""
    body = connection.execute(OF_VERSION, {"table": table, "number": version}).scalar()
    return None if body is None else from_json(body)


def proposed(connection: Connection) -> dict[str, int]:
    """Tables that wait for a person's decision, with the id of the proposal."""
    return {row.table_name: row.id for row in connection.execute(PROPOSED)}


def apply_first(connection: Connection, contract: Contract, evidence: dict[str, Any], actor: str, now_ns: int) -> None:
    """Put the first contract of a table in force: adopted without review, or declared by its parser."""
    connection.execute(WITHDRAW_PROPOSALS, {"table": contract.table})
    _add(connection, contract, ContractState.APPLIED, evidence, actor, now_ns, decided_by=actor)


def propose(connection: Connection, contract: Contract, evidence: dict[str, Any], actor: str, now_ns: int) -> int:
    """Ask a person for a decision; an open proposal for the same table becomes void unless it is the same."""
    same = connection.execute(
        select(contracts.c.id).where(
            contracts.c.table_name == contract.table,
            contracts.c.hash == contract.hash,
            contracts.c.state == literal_column("'proposed'"),
        )
    ).scalar()
    if same is not None:
        return int(same)
    connection.execute(WITHDRAW_PROPOSALS, {"table": contract.table})
    return _add(connection, contract, ContractState.PROPOSED, evidence, actor, now_ns)


def approve(connection: Connection, contract_id: int, actor: str, reason: str, now_ns: int) -> Contract:
    """Put a proposed contract in force, decided by a named person.

    Raises NotFound for an unknown id and UsageError when it is no longer proposed.
    """
    row = connection.execute(BY_ID, {"contract": contract_id}).first()
    if row is None:
        raise NotFound(f"no contract {contract_id}", fix="casparian contract list")
    decided = connection.execute(
        DECIDE,
        {
            "contract": contract_id,
            "to": ContractState.APPLIED,
            "now_ns": now_ns,
            "actor": actor,
            "reason": reason,
        },
    )
    if decided.rowcount != 1:
        raise UsageError(
            f"contract {contract_id} is {row.state}, not proposed", fix=f"casparian contract show {contract_id}"
        )
    return from_json(row.body)


def _add(
    connection: Connection,
    contract: Contract,
    state: ContractState,
    evidence: dict[str, Any],
    actor: str,
    now_ns: int,
    decided_by: str | None = None,
) -> int:
    body = to_json(contract)
    return int(
        connection.execute(
            insert(contracts).returning(contracts.c.id),
            {
                "table_name": contract.table,
                "version": contract.version,
                "state": state,
                "origin": contract.origin,
                "hash": contract.hash,
                "digest": digest_of_json(["approval", body, evidence]),
                "body": body,
                "evidence": json.dumps(evidence, sort_keys=True, ensure_ascii=False),
                "proposed_at_ns": now_ns,
                "proposed_by": actor,
                "decided_at_ns": now_ns if decided_by else None,
                "decided_by": decided_by,
            },
        ).scalar_one()
    )


def describe(connection: Connection, contract_id: int) -> AnyRow:
    """One contract's row; raises NotFound."""
    row = connection.execute(BY_ID, {"contract": contract_id}).first()
    if row is None:
        raise NotFound(f"no contract {contract_id}", fix="casparian contract list")
    return row
