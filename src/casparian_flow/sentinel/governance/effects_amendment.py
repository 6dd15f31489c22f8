"""The next version of a contract comes into force."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.contracts import Origin as ContractOrigin
from casparian_flow.core.errors import ProposalVoid, UsageError
from casparian_flow.core.proposal_bodies import Amendment, body_of
from casparian_flow.core.proposals import Kind, Origin, State, label
from casparian_flow.schema.amend import amended
from casparian_flow.schema.compatibility import risk_of, verdicts
from casparian_flow.sentinel.governance.affected import affected
from casparian_flow.sentinel.governance.closing import close_columns
from casparian_flow.sentinel.governance.effects import Change, Effect, Effected
from casparian_flow.sentinel.governance.effects_contract import MOVED, hash_in_force, jobs_behind
from casparian_flow.sentinel.governance.reading_again import read_again
from casparian_flow.sentinel.planning.rekeying import rekey_by_receipt
from casparian_flow.sentinel.planning.replaying import promised
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.governed import put_contract
from casparian_flow.store.proposals import Draft
from casparian_flow.store.replays import Expected


def _amend(connection: Connection, change: Change) -> Effected:
    """The contract is changed, what it touches is read again, and all else counts as read under it."""
    assert isinstance(change.body, Amendment) and change.table is not None
    base = contract_store.of_table(connection, change.table)
    if base is None:
        raise ProposalVoid(f"{label(change.kind, change.proposal)} is about a table without a contract")
    contract = amended(base, change.body.operations)
    if change.is_by_policy:
        contract = replace(contract, origin=ContractOrigin.ADOPTED)  # no person has looked at it
    found = affected(connection, base, change.body.operations)
    before = contract_store.in_force(connection)
    number = put_contract(connection, contract, change.ground, jobs_behind(connection, change))
    _end_others(connection, change, contract)
    unrepaired = close_columns(
        connection, before, contract, by=label(change.kind, change.proposal), now_ns=change.ground.now_ns
    )
    rekey_by_receipt(connection, found.moved, contract.table, contract.hash, change.proposal, change.ground.now_ns)
    return replace(_begin(connection, change, base, found.reopened, unrepaired), contract=number)


def _begin(
    connection: Connection, change: Change, base: Contract, jobs: Sequence[int], unrepaired: Collection[int]
) -> Effected:
    """Queue the first of the files that the change touches.

    Where not every row that fits today fits afterwards, fewer rows are what was approved; and so where a repair holds
    no more.
    """
    assert isinstance(change.body, Amendment)
    keeps_rows = change.verdicts is not None and change.verdicts.reads_old
    files: dict[int, Mapping[str, Expected] | None] = dict.fromkeys(jobs, {} if keeps_rows else None)
    files |= promised(base.table, change.impact.replays if change.impact else ())
    files |= dict.fromkeys(files.keys() & unrepaired, None)
    return read_again(connection, change, base.table, {job: files[job] for job in jobs})


def _end_others(connection: Connection, change: Change, contract: Contract) -> None:
    """Nothing else that was proposed for what was in force can be decided any more.

    What the product drafted from drift and still makes sense begins anew, with its evidence, for what is in force now.
    """
    for row in proposal_store.living_of_table(connection, contract.table):
        if row.id == change.proposal or row.kind not in (Kind.CONTRACT, Kind.AMENDMENT):
            continue
        if (heir := _heir(row, contract)) is None:
            proposal_store.move(connection, row.id, State.VOID, change.ground.now_ns, why=MOVED)
        else:
            number = proposal_store.replace_void(connection, row.id, heir, MOVED, change.ground.now_ns)
            assert isinstance(heir.body, Amendment)
            asked = heir.body.operations
            proposal_store.rewrite(
                connection,
                number,
                heir.body,
                contract.hash,
                heir.reason,
                verdicts=verdicts(contract, asked),
                risk=risk_of(contract, asked),
            )


def _heir(row: AnyRow, contract: Contract) -> Draft | None:
    body = body_of(row.body)
    if row.origin != Origin.SYSTEM or not isinstance(body, Amendment):
        return None
    try:
        amended(contract, body.operations)
    except UsageError:
        return None  # what it asks for is there already, or is about something that is not there any more
    return Draft(
        kind=Kind.AMENDMENT,
        signature=row.signature,
        table=row.table_name,
        base_digest=contract.hash,
        body=body,
        origin=Origin.SYSTEM,
        proposed_by=row.proposed_by,
        subject=row.subject,
        reason=row.reason,
        survey=row.survey,
        plan=row.touched_by_plan,
    )


AMENDED = Effect(hash_in_force, _amend)
