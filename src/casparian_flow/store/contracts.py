"""Contracts: at most one in force per table, and first ones that wait for a person.

What puts one in force stands in `store.governed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, literal_column, select, update

from casparian_flow.core.contract_text import to_json, verified
from casparian_flow.core.contracts import Contract, ContractState
from casparian_flow.core.errors import NotFound
from casparian_flow.core.proofs import Evidence, first_contract_signature
from casparian_flow.core.proposal_bodies import FirstContract
from casparian_flow.core.proposals import Kind, Risk, State
from casparian_flow.core.proposals import Origin as ProposalOrigin
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import add_evidence
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.proposals import Draft, Proof, draft, living, move
from casparian_flow.store.proposals import propose as submit
from casparian_flow.store.tables import contracts, jobs, proposals

IDS_IN_FORCE = Prepared(
    select(contracts.c.id).where(contracts.c.state == literal_column("'applied'")).order_by(contracts.c.id)
)
OF_IDS = Prepared(
    select(contracts.c.id, contracts.c.body, contracts.c.hash)
    .where(contracts.c.id.in_(each_of("numbers")))
    .order_by(contracts.c.id)
)
OF_VERSION = (
    select(contracts.c.body, contracts.c.hash)
    .where(contracts.c.table_name == bindparam("table"), contracts.c.version == bindparam("number"))
    .where(contracts.c.state.in_((ContractState.APPLIED, ContractState.SUPERSEDED)))
    .order_by(contracts.c.decided_at_ns.desc())
    .limit(1)
)
IN_FORCE = select(contracts.c.body, contracts.c.hash).where(contracts.c.state == literal_column("'applied'"))
OF_TABLE = IN_FORCE.where(contracts.c.table_name == bindparam("table"))
PROPOSED = select(contracts.c.id, contracts.c.table_name).where(contracts.c.state == literal_column("'proposed'"))
BY_ID = select(contracts).where(contracts.c.id == bindparam("contract"))
END_HELD = (
    update(contracts)
    .where(contracts.c.id == bindparam("contract"), contracts.c.state == literal_column("'proposed'"))
    .values(
        state=bindparam("to"),
        decided_at_ns=bindparam("now_ns"),
        decided_by=bindparam("actor"),
        decision_reason=bindparam("reason"),
    )
)
VOID_WITH_PROPOSALS = (
    update(contracts)
    .where(
        contracts.c.state == literal_column("'proposed'"),
        contracts.c.proposal_id.in_(select(proposals.c.id).where(proposals.c.state == literal_column("'void'"))),
    )
    .values(state=ContractState.VOID)
)
ADD = insert(contracts).returning(contracts.c.id)
JOBS_BEHIND = select(jobs.c.id, jobs.c.source_hash, jobs.c.rows_read).where(jobs.c.id.in_(each_of("jobs")))
PROPOSED_BY = (
    update(contracts)
    .where(contracts.c.id == bindparam("contract"))
    .values(proposal_id=bindparam("proposal"), digest=bindparam("decided_about"))
)


def in_force(connection: Connection) -> dict[str, Contract]:
    """The applied contract of every table that has one; raises VerificationFailed if one was changed where it lies."""
    found = (verified(row.body, row.hash) for row in connection.execute(IN_FORCE))
    return {contract.table: contract for contract in found}


def of_table(connection: Connection, table: str) -> Contract | None:
    """The contract in force of one table; raises VerificationFailed if it was changed where it lies."""
    row = connection.execute(OF_TABLE, {"table": table}).first()
    return None if row is None else verified(row.body, row.hash)


def ids_in_force(connection: Connection) -> list[int]:
    """By what a change of the contracts in force is noticed."""
    return [row.id for row in IDS_IN_FORCE.rows(connection)]


def of_ids(connection: Connection, numbers: Iterable[int]) -> dict[int, Contract]:
    """These contracts by their ids, without those that do not exist; raises what `in_force` raises."""
    return {row.id: verified(row.body, row.hash) for row in OF_IDS.rows(connection, numbers=listed(sorted(numbers)))}


def of_version(connection: Connection, table: str, version: int) -> Contract | None:
    """The contract of a table that was in force under that number; raises what `of_table` raises."""
    row = connection.execute(OF_VERSION, {"table": table, "number": version}).first()
    return None if row is None else verified(row.body, row.hash)


def proposed(connection: Connection) -> dict[str, int]:
    """Tables that wait for a person's decision, with the id of the proposal."""
    return {row.table_name: row.id for row in connection.execute(PROPOSED)}


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
    void_held(connection, contract.table, now_ns)
    number = _add(connection, contract, evidence, actor, now_ns)
    proposal, digest = _propose_first(connection, contract, number, evidence, actor, now_ns)
    connection.execute(PROPOSED_BY, {"contract": number, "proposal": proposal, "decided_about": digest})
    return number


def add_jobs_behind(connection: Connection, proposal: int, among: Sequence[int]) -> None:
    """Let the files of these jobs speak for a first contract."""
    behind = connection.execute(JOBS_BEHIND, {"jobs": json.dumps(list(among))})
    found = [Evidence(job=job.id, source_hash=job.source_hash, rows=job.rows_read) for job in behind]
    add_evidence(connection, proposal, found)


def end_held(connection: Connection, contract: int, to: ContractState, *, actor: str, reason: str, now_ns: int) -> None:
    """A contract that waited for a person is not to come into force: it was rejected, or withdrawn."""
    values = {"contract": contract, "to": to, "actor": actor, "reason": reason or None, "now_ns": now_ns}
    connection.execute(END_HELD, values)


def void_held(connection: Connection, table: str, now_ns: int) -> None:
    """No first contract of the table waits for a person any more."""
    waiting = living(connection, first_contract_signature(table))
    if waiting is not None:
        move(connection, waiting.id, State.VOID, now_ns, why="another contract took its place")


def void_with_proposals(connection: Connection) -> None:
    """A first contract ends with its proposal: its table does not wait for it."""
    connection.execute(VOID_WITH_PROPOSALS)


def _propose_first(
    connection: Connection, contract: Contract, number: int, evidence: dict[str, Any], actor: str, now_ns: int
) -> tuple[int, str]:
    wanted = Draft(
        kind=Kind.CONTRACT,
        signature=first_contract_signature(contract.table),
        table=contract.table,
        subject=str(number),
        base_digest="",
        body=FirstContract(contract=contract),
        origin=ProposalOrigin.SYSTEM,
        proposed_by=actor,
    )
    proposal = draft(connection, wanted, now_ns)
    add_jobs_behind(connection, proposal, evidence.get("jobs", []))
    return proposal, submit(connection, proposal, Proof(risk=Risk.ADDITIVE), now_ns)


def _add(connection: Connection, contract: Contract, evidence: dict[str, Any], actor: str, now_ns: int) -> int:
    body = to_json(contract)
    return int(
        connection.execute(
            ADD,
            {
                "table_name": contract.table,
                "version": contract.version,
                "state": ContractState.PROPOSED,
                "origin": contract.origin,
                "hash": contract.hash,
                "digest": "",
                "body": body,
                "evidence": json.dumps(evidence, sort_keys=True, ensure_ascii=False),
                "proposed_at_ns": now_ns,
                "proposed_by": actor,
            },
        ).scalar_one()
    )


def describe(connection: Connection, contract_id: int) -> AnyRow:
    """One contract's row; raises NotFound."""
    row = connection.execute(BY_ID, {"contract": contract_id}).first()
    if row is None:
        raise NotFound(f"no contract {contract_id}", fix="casparian contract list")
    return row
