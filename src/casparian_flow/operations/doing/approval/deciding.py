"""How what `operations.approval.proposals` decides is done."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.contracts import ContractState, version_of
from casparian_flow.core.errors import ProposalVoid, VersionChanged
from casparian_flow.core.proposal_bodies import Activation, body_of
from casparian_flow.core.proposals import Kind, State, label
from casparian_flow.core.tombstones import erased_behind
from casparian_flow.operations.approval.proposals import (
    ApproveProposal,
    Decided,
    EndedProposal,
    ErasedRows,
    RejectProposal,
    SignedDecision,
    WithdrawProposal,
)
from casparian_flow.operations.context import Acting
from casparian_flow.operations.contract.contracts import ApproveContract
from casparian_flow.operations.doing.approval.proposal_view import entry_of, number
from casparian_flow.operations.doing.rehearsal.replay_outcome import reply_of
from casparian_flow.operations.doing.run.again import run_again
from casparian_flow.operations.doing.slots import slot_count
from casparian_flow.operations.rehearsal.replay import LeftOut, ReplayReply
from casparian_flow.sentinel.governance import deciding
from casparian_flow.sentinel.governance.applying import Applied, void_if_moved
from casparian_flow.sentinel.governance.authority import Standing
from casparian_flow.sentinel.governance.deciding import Given
from casparian_flow.sentinel.history.closed_words import write_closed
from casparian_flow.sentinel.history.erasing import erase_due
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store.evidence import evidence_of
from casparian_flow.store.tombstones import gone_by
from casparian_flow.store.views import readings as readings_view


def approve(acting: Acting, request: ApproveProposal) -> Decided:
    """Keep the approval; with enough of them the proposal is applied, and what it promises is queued.

    Raises NotFound, and what `sentinel.governance.deciding.approve` raises.
    """
    with acting.database.transaction() as connection:
        proposal = number(connection, request.proposal)
        _check_seen(connection, proposal, request.if_version)
        given = _given(acting, proposal, request)
    try:
        with acting.database.transaction() as connection:
            stands, applied = deciding.approve(connection, given, acting.clock())
    except ProposalVoid:
        with acting.database.transaction() as connection:
            void_if_moved(connection, proposal, acting.clock())
        raise
    replay = None if applied is None else hand_over(acting, applied, wait=request.wait)
    with acting.database.transaction() as connection:
        decided = _decided(connection, given, applied, stands, replay)
        return msgspec.structs.replace(decided, next=_runs_left(connection, acting, applied, decided))


def reject(acting: Acting, request: RejectProposal) -> Decided:
    """Keep the rejection; raises NotFound, and what `sentinel.governance.deciding.reject` raises."""
    with acting.database.transaction() as connection:
        proposal = number(connection, request.proposal)
        _check_seen(connection, proposal, request.if_version)
        given = _given(acting, proposal, request)
        deciding.reject(connection, given, acting.clock(), changes=request.changes)
        return _decided(connection, given, None, None, None)


def withdraw(acting: Acting, request: WithdrawProposal) -> Decided:
    """End a proposal undecided; raises NotFound, and what `sentinel.governance.deciding.withdraw` raises."""
    with acting.database.transaction() as connection:
        proposal = number(connection, request.proposal)
        deciding.withdraw(connection, proposal, acting.actor, request.reason, acting.clock())
        return Decided(
            proposal=entry_of(connection, proposal),
            digest=proposal_store.one(connection, proposal).digest or "",
            decided_by=acting.actor,
            is_applied=False,
            approvers=[],
            uncounted=[],
        )


def approve_contract(acting: Acting, request: ApproveContract) -> Decided:
    """Agree to the proposal behind a contract that waits; raises NotFound, and what `approval.approve` raises.

    `if_version` is the state of the contract that was seen.
    """
    with acting.database.transaction() as connection:
        seen = contract_store.describe(connection, request.contract)
        now = version_of(seen.digest, ContractState(seen.state))
        if request.if_version not in (None, now):
            raise VersionChanged(
                f"contract {request.contract} is not in the state that you saw", why=f"{request.if_version}, now {now}"
            )
        if seen.proposal_id is None:
            raise VersionChanged(f"contract {request.contract} is {seen.state}, and does not wait for a decision")
    return approve(
        acting,
        ApproveProposal(
            proposal=str(seen.proposal_id),
            digest=request.digest,
            reason=request.reason,
            at=request.at,
            key=request.key,
            signature=request.signature,
        ),
    )


def hand_over(acting: Acting, applied: Applied, *, wait: bool) -> ReplayReply | None:
    """Have done what was queued with the change; it is in the store, so that nothing is lost if this is not reached."""
    write_closed(acting.database, acting.home)
    if applied.kind is Kind.PURGE:
        erase_due(acting.database, acting.home, acting.open_sink, acting.clock, acting.actor)
    if not applied.plans:
        return None
    with acting.database.transaction() as connection:
        begun = [replay_store.of_plan(connection, plan) for plan in applied.plans]
    for plan in applied.plans:
        acting.execution.submit(plan, slot_count(acting))
        if wait or not acting.execution.outlives_asker:
            acting.execution.wait(plan, acting.report)
    return next((reply_of(acting, replay.id) for replay in begun if replay is not None), None)


def _given(acting: Acting, proposal: int, request: SignedDecision) -> Given:
    return Given(
        proposal=proposal,
        digest=request.digest,
        actor=acting.actor,
        reason=request.reason,
        at_ns=request.at,
        key=request.key,
        signature=request.signature,
    )


def _check_seen(connection: Connection, proposal: int, if_version: str | None) -> None:
    row = proposal_store.one(connection, proposal)
    now = version_of(row.digest or "", State(row.state))
    if if_version not in (None, now):
        raise VersionChanged("the proposal is not in the state that you saw", why=f"{if_version}, now {now}")


def _decided(
    connection: Connection,
    given: Given,
    applied: Applied | None,
    stands: Standing | None,
    replay: ReplayReply | None,
) -> Decided:
    contract = None if applied is None or applied.contract is None else applied.contract
    row = None if contract is None else contract_store.describe(connection, contract)
    return Decided(
        proposal=entry_of(connection, given.proposal),
        digest=given.digest,
        decided_by=given.actor,
        is_applied=applied is not None,
        approvers=[] if stands is None else list(stands.approvers),
        uncounted=[] if stands is None else list(stands.uncounted),
        contract=contract,
        table=None if row is None else row.table_name,
        version=None if row is None else row.version,
        replay=replay,
        unread=0 if applied is None else applied.unread,
        left_out=[] if applied is None else [LeftOut(path=each.path, why=each.why) for each in applied.undone],
        erased=None if applied is None or applied.kind is not Kind.PURGE else _erased(connection, applied.proposal),
    )


def _runs_left(connection: Connection, acting: Acting, applied: Applied | None, decided: Decided) -> list[str]:
    """The runs that a change leaves to be asked for: of a parser's other files, or where it queued none itself."""
    if applied is None:
        return []
    replay = decided.replay
    is_read = replay is not None and replay.replay is not None
    if applied.kind is Kind.PARSER and (replay is None or replay.stopped is None):
        body = body_of(proposal_store.one(connection, applied.proposal).body)
        name = body.parser if isinstance(body, Activation) else ""
        return run_again(connection, acting, readings_view.jobs_in_force(connection, parser=name))
    if applied.contract is None or is_read:
        return []
    if applied.kind is Kind.CONTRACT:
        return run_again(connection, acting, {each.job for each in evidence_of(connection, applied.proposal)})
    return run_again(connection, acting, readings_view.jobs_in_force(connection, table=decided.table))


def _erased(connection: Connection, purge: int) -> ErasedRows:
    gone = gone_by(connection, purge)
    return ErasedRows(
        rows=sum(row.rows for row in gone),
        files=len({row.source_hash for row in gone}),
        tables=sorted({row.table_name for row in gone}),
        ended=[
            EndedProposal(proposal=label(Kind(row.kind), row.id), why=row.void_reason)
            for row in proposal_store.ended_by(connection, erased_behind(label(Kind.PURGE, purge)))
        ],
    )
