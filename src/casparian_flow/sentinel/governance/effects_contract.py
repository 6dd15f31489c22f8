"""The first contract of a table comes into force."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from casparian_flow.core.contracts import Origin
from casparian_flow.core.proposal_bodies import FirstContract
from casparian_flow.core.proposals import Kind, State, label
from casparian_flow.sentinel.governance.closing import close_columns
from casparian_flow.sentinel.governance.effects import Change, Effect, Effected
from casparian_flow.sentinel.governance.reading_again import read_again
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.evidence import signed_part
from casparian_flow.store.governed import put_contract, take_held_contract
from casparian_flow.store.views.affected import current_jobs

MOVED = "another version of the contract came into force"


def hash_in_force(connection: Connection, change: Change) -> str:
    """The hash of the contract in force, nothing where there is none."""
    assert change.table is not None  # as every proposal about contracts
    contract = contract_store.of_table(connection, change.table)
    return "" if contract is None else contract.hash


def jobs_behind(connection: Connection, change: Change) -> dict[str, object]:
    """The evidence as a contract keeps it: the jobs that speak for it, and what was said when it was proposed."""
    jobs = sorted(each.job for each in signed_part(connection, change.proposal))
    return {"jobs": jobs, "reason": change.wish} if change.wish else {"jobs": jobs}


def _found(connection: Connection, change: Change) -> Effected:
    """The table has its first contract; what waited under a number in the list of contracts is that one."""
    assert isinstance(change.body, FirstContract)
    contract = change.body.contract
    before = {} if change.is_by_policy else contract_store.in_force(connection)
    if not change.is_by_policy:
        contract = replace(contract, origin=Origin.APPROVED)
    if change.subject:
        number = take_held_contract(connection, int(change.subject), contract, change.ground)
    else:
        number = put_contract(connection, contract, change.ground, jobs_behind(connection, change))
    for row in proposal_store.living_of_table(connection, contract.table):
        if row.id != change.proposal and row.kind in (Kind.CONTRACT, Kind.AMENDMENT):
            proposal_store.move(connection, row.id, State.VOID, change.ground.now_ns, why=MOVED)
    if not change.is_by_policy:  # a parser that declares its classes has never shown their values
        by = label(change.kind, change.proposal)
        close_columns(connection, before, contract, by=by, now_ns=change.ground.now_ns)
    if not contract.takes_undeclared:
        return Effected(contract=number)
    # Its rows wait in quarantine, unlike those of files that were held: what else these brought may not get lost.
    waiting = current_jobs(connection, contract.table)
    return replace(read_again(connection, change, contract.table, {job: {} for job in waiting}), contract=number)


FIRST = Effect(hash_in_force, _found)
