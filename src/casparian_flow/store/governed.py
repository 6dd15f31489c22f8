"""Every write of what is governed: only what applies proposals imports this.

Governed are: that a proposal is approved or applied, which contract of a table is in force, which parser may run by
itself, and which rejected rows are given up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, literal_column, update

from casparian_flow.core.artifacts import ParserStatus
from casparian_flow.core.contract_text import to_json
from casparian_flow.core.contracts import Contract, ContractState
from casparian_flow.core.errors import VersionChanged
from casparian_flow.core.proposal_bodies import Selected
from casparian_flow.core.proposals import State
from casparian_flow.core.quarantine import EntryState
from casparian_flow.store.tables import contracts, parsers, proposals, quarantine, tombstones

APPROVE = (
    update(proposals)
    .where(
        proposals.c.id == bindparam("proposal"),
        proposals.c.digest == bindparam("seen"),
        proposals.c.state == literal_column("'proposed'"),
    )
    .values(state=State.APPROVED, decided_at_ns=bindparam("now_ns"))
)
APPLY = (
    update(proposals)
    .where(proposals.c.id == bindparam("proposal"), proposals.c.state == literal_column("'approved'"))
    .values(state=State.APPLIED, applied_at_ns=bindparam("now_ns"))
)
SUPERSEDE = (
    update(contracts)
    .where(contracts.c.table_name == bindparam("table"), contracts.c.state == literal_column("'applied'"))
    .values(state=ContractState.SUPERSEDED)
    .returning(contracts.c.id)
)
PUT = insert(contracts).returning(contracts.c.id)
TAKE = (
    update(contracts)
    .where(
        contracts.c.id == bindparam("held"),
        contracts.c.table_name == bindparam("table"),
        contracts.c.state == literal_column("'proposed'"),
    )
    .values(
        {
            name: bindparam(f"its_{name}")
            for name in (
                "state",
                "origin",
                "hash",
                "digest",
                "body",
                "decided_at_ns",
                "decided_by",
                "decision_reason",
                "proposal_id",
            )
        }
    )
)
ACTIVATE = (
    update(parsers)
    .where(parsers.c.id == bindparam("parser"))
    .values(status=ParserStatus.ACTIVE, activated_by=bindparam("proposal"))
)
WAIVE = (
    update(quarantine)
    .where(
        quarantine.c.job_id == bindparam("of_job"),
        quarantine.c.reference == bindparam("cause"),
        quarantine.c.is_current,
        quarantine.c.state.in_([EntryState.OPEN, EntryState.TRIAGED, EntryState.FIX_READY]),
    )
    .values(state=EntryState.WAIVED)
)


BURY = insert(tombstones)
PURGE_JOBS = (
    update(quarantine)
    .where(quarantine.c.job_id.in_(bindparam("jobs", expanding=True)))
    .values(state=EntryState.PURGED, is_current=False, purged_by=bindparam("purge"))
)
PURGE = (
    update(quarantine)
    .where(
        quarantine.c.job_id == bindparam("of_job"),
        quarantine.c.reference == bindparam("cause"),
        quarantine.c.is_current,
        quarantine.c.state.not_in([EntryState.REPLAYED, EntryState.PURGED]),
    )
    .values(state=EntryState.PURGED, is_current=False, purged_by=bindparam("purge"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """By what something comes into force: the proposal, the digest that was decided about, by whom, why and when."""

    proposal: int
    digest: str
    proposed_by: str
    decided_by: str
    reason: str
    now_ns: int


def mark_approved(connection: Connection, proposal: int, digest: str, now_ns: int) -> None:
    """Enough have decided about exactly that digest; raises VersionChanged if it is not proposed under it any more."""
    if connection.execute(APPROVE, {"proposal": proposal, "seen": digest, "now_ns": now_ns}).rowcount != 1:
        raise VersionChanged(f"proposal {proposal} is not what was decided about")


def mark_applied(connection: Connection, proposal: int, now_ns: int) -> None:
    """Its effect is in this transaction; raises VersionChanged unless it is approved."""
    if connection.execute(APPLY, {"proposal": proposal, "now_ns": now_ns}).rowcount != 1:
        raise VersionChanged(f"proposal {proposal} is not approved")


def put_contract(connection: Connection, contract: Contract, ground: Ground, evidence: dict[str, object]) -> int:
    """Put a contract in force in place of the one of its table that is, if one is; its number."""
    [replaced] = connection.execute(SUPERSEDE, {"table": contract.table}).scalars().all() or [None]
    values = {
        **_in_force(contract, ground),
        "table_name": contract.table,
        "version": contract.version,
        "evidence": json.dumps(evidence, sort_keys=True, ensure_ascii=False),
        "proposed_at_ns": ground.now_ns,
        "proposed_by": ground.proposed_by,
        "amends": replaced,
    }
    return int(connection.execute(PUT, values).scalar_one())


def take_held_contract(connection: Connection, held: int, contract: Contract, ground: Ground) -> int:
    """Put the first contract in force that waits under that number, as it was decided; its number.

    Raises VersionChanged if it does not wait any more.
    """
    values = {f"its_{name}": value for name, value in _in_force(contract, ground).items()}
    if connection.execute(TAKE, {**values, "held": held, "table": contract.table}).rowcount != 1:
        raise VersionChanged(f"contract {held} does not wait for a decision any more")
    return held


def activate(connection: Connection, parser: int, proposal: int) -> None:
    """From now on this artifact of a parser may run by itself."""
    connection.execute(ACTIVATE, {"parser": parser, "proposal": proposal})


def waive(connection: Connection, entries: Sequence[Selected]) -> None:
    """Nobody has to deal with these rejected rows any more; raises VersionChanged if one of them does not wait."""
    for each in entries:
        if connection.execute(WAIVE, {"of_job": each.job, "cause": each.cause}).rowcount < 1:
            raise VersionChanged(f"the rows of job {each.job} with cause {each.cause} do not wait any more")


def bury(connection: Connection, stones: Sequence[dict[str, object]], jobs: Sequence[int], purge: int) -> None:
    """All rows of these jobs are to be erased for good: the tombstones that say so, and their entries are purged."""
    if stones:
        connection.execute(BURY, stones)
    if jobs:
        connection.execute(PURGE_JOBS, {"jobs": list(jobs), "purge": purge})


def trim(connection: Connection, stones: Sequence[dict[str, object]], entries: Sequence[Selected], purge: int) -> None:
    """These rejected rows are to be erased for good; raises VersionChanged if one of them is not in quarantine."""
    for each in entries:
        values = {"of_job": each.job, "cause": each.cause, "purge": purge}
        if connection.execute(PURGE, values).rowcount < 1:
            raise VersionChanged(f"the rows of job {each.job} with cause {each.cause} are not in quarantine any more")
    if stones:
        connection.execute(BURY, stones)


def _in_force(contract: Contract, ground: Ground) -> dict[str, object]:
    return {
        "state": ContractState.APPLIED,
        "origin": contract.origin,
        "hash": contract.hash,
        "digest": ground.digest,
        "body": to_json(contract),
        "decided_at_ns": ground.now_ns,
        "decided_by": ground.decided_by,
        "decision_reason": ground.reason or None,
        "proposal_id": ground.proposal,
    }
