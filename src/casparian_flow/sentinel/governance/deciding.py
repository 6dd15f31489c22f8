"""A person's decision about a proposal: verified, kept, and applied as soon as enough agree."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.contracts import ContractState
from casparian_flow.core.errors import (
    ApprovalInvalid,
    KeyMissing,
    ProposalOver,
    ProposalVoid,
    Refused,
    SelfApproval,
    UsageError,
    VersionChanged,
)
from casparian_flow.core.proofs import Terms
from casparian_flow.core.proposals import LIVING, Decision, Kind, Origin, Risk, State, label
from casparian_flow.core.signing import Statement, verify
from casparian_flow.core.times import rfc3339
from casparian_flow.sentinel.governance.applying import Applied, apply, check_ready
from casparian_flow.sentinel.governance.authority import Signed, Standing, checked_terms, is_revoked, standing
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import keys
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.meta import home_id
from casparian_flow.store.signed import add_decision, decisions_about, replace_decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A decision as its asker sent it: `actor` is who asks, the rest is what they say they signed."""

    proposal: int
    digest: str
    actor: str
    reason: str
    at_ns: int
    key: str
    signature: bytes


def approve(connection: Connection, given: Given, now_ns: int) -> tuple[Standing, Applied | None]:
    """Keep an approval, and apply the proposal if it is enough now. Approving again only looks whether it is.

    Raises what `apply` raises, ProposalOver, VersionChanged for what is not proposed, or not as it was seen,
    KeyMissing and ApprovalInvalid for a decision that is not signed by who asks, SelfApproval for who proposed it.
    """
    row, terms = _decidable(connection, given.proposal, Decision.APPROVE, given.reason)
    statement = _verified(connection, terms, given, Decision.APPROVE)
    is_self = terms.proposed_by == given.actor
    if is_self and not keys.is_single_person(connection, row.proposed_at_ns):
        raise _self_approval(connection, terms)
    _keep(connection, statement, key=given.key, signature=given.signature, is_self=is_self)
    stands = standing(connection, terms, row.proposed_at_ns)
    return stands, apply(connection, terms.proposal, Signed(), now_ns) if stands.is_enough else None


def reject(connection: Connection, given: Given, now_ns: int, *, changes: bool) -> None:
    """Keep a rejection, or with `changes` that the proposal goes back to who proposed it, and move it so."""
    decision = Decision.REQUEST_CHANGES if changes else Decision.REJECT
    row, terms = _decidable(connection, given.proposal, decision, given.reason)
    statement = _verified(connection, terms, given, decision)
    _keep(connection, statement, key=given.key, signature=given.signature, is_self=terms.proposed_by == given.actor)
    to = State.CHANGES_REQUESTED if changes else State.REJECTED
    _end(connection, row, to, given.actor, given.reason, now_ns)


def check_decidable(connection: Connection, proposal: int, decision: Decision, reason: str, now_ns: int) -> None:
    """Raises what deciding so would raise whoever signs it: then the first key of a home must not be let in for it."""
    _decidable(connection, proposal, decision, reason)
    if decision is Decision.APPROVE:
        check_ready(connection, proposal, now_ns)


def withdraw(connection: Connection, proposal: int, actor: str, reason: str, now_ns: int) -> None:
    """Take a proposal back; raises Refused for who did not propose it, and what tells that it is over.

    Anybody may end what the product drafted while it is not proposed, and what was changed in the database since it was
    proposed: that cannot be decided any more.
    """
    row = _open(connection, proposal)
    if not _may_withdraw(connection, row, actor):
        name = label(Kind(row.kind), row.id)
        raise Refused(
            f"{name} is taken back only by who proposed it",
            why=f"that was {row.proposed_by}",
            fix=f"casparian reject {name} --reason TEXT" if row.state == State.PROPOSED else "",
        )
    _end(connection, row, State.WITHDRAWN, actor, reason, now_ns)
    if row.digest is None:
        return  # there is nothing yet that a decision could be about
    statement = Statement(
        home=home_id(connection),
        proposal=proposal,
        digest=row.digest,
        decision=Decision.WITHDRAW,
        actor=actor,
        reason=reason,
        at_ns=now_ns,
    )
    _keep(connection, statement, key=None, signature=None, is_self=row.proposed_by == actor)


def _may_withdraw(connection: Connection, row: AnyRow, actor: str) -> bool:
    if row.proposed_by == actor:
        return True
    if row.state != State.PROPOSED:
        return bool(row.origin == Origin.SYSTEM)
    try:
        checked_terms(connection, row)
    except ApprovalInvalid:
        return True
    return False


def _self_approval(connection: Connection, terms: Terms) -> SelfApproval:
    name, who = label(terms.kind, terms.proposal), terms.proposed_by
    if others := sorted({each.actor for each in keys.living_keys(connection)} - {who}):
        return SelfApproval(
            f"{who} proposed {name}, and others have to approve it", why=f"others who may: {', '.join(others)}"
        )
    return SelfApproval(
        f"{who} proposed {name} while others had a key, and cannot approve it alone",
        why="their keys were revoked since",
        fix=f"casparian approval withdraw {name}, then propose it again",
    )


def _end(connection: Connection, row: AnyRow, to: State, actor: str, reason: str, now_ns: int) -> None:
    proposal_store.move(connection, row.id, to, now_ns, why=f"{actor}: {reason}" if reason else actor)
    if row.kind == Kind.CONTRACT and row.subject:
        held, ended = int(row.subject), ContractState(to.value)
        contract_store.end_held(connection, held, ended, actor=actor, reason=reason, now_ns=now_ns)


def _decidable(connection: Connection, proposal: int, decision: Decision, reason: str) -> tuple[AnyRow, Terms]:
    row, terms = _proposed(connection, proposal, decision)
    if decision is Decision.APPROVE and terms.risk is Risk.DESTRUCTIVE and not reason.strip():
        raise UsageError("what cannot be undone is approved with a reason", fix="--reason TEXT")
    if decision is Decision.REQUEST_CHANGES and terms.kind is Kind.CONTRACT:
        raise UsageError(
            "a first contract was drafted from its files, and nobody can change the draft",
            why="rejected, it is drafted anew by the next run that meets such files",
            fix=f"casparian reject {label(terms.kind, terms.proposal)} --reason TEXT",
        )
    return row, terms


def _proposed(connection: Connection, proposal: int, decision: Decision) -> tuple[AnyRow, Terms]:
    row = _open(connection, proposal)
    if row.state == State.PROPOSED:
        return row, checked_terms(connection, row)
    name = label(Kind(row.kind), row.id)
    is_draft = row.state == State.DRAFT
    is_provable = is_draft and row.kind == Kind.AMENDMENT
    fix = f"casparian contract propose {name}" if is_provable else f"casparian approval show {name}"
    if decision is not Decision.APPROVE:
        fix = f"casparian approval withdraw {name} --reason TEXT"
    why = "it is not proven yet" if is_provable else row.reason if is_draft else ""
    raise VersionChanged(f"{name} is {row.state}, and cannot be decided", why=why, fix=fix)


def _open(connection: Connection, proposal: int) -> AnyRow:
    """One that is not over; raises ProposalVoid and ProposalOver, which say how it ended."""
    row = proposal_store.one(connection, proposal)
    name = label(Kind(row.kind), row.id)
    if row.state == State.VOID:
        raise ProposalVoid(f"{name} can no longer be decided", why=row.void_reason or "")
    if State(row.state) not in LIVING:
        at = rfc3339(row.applied_at_ns or row.decided_at_ns)
        raise ProposalOver(
            f"{name} is {row.state}, and cannot be decided",
            why=f"since {at}, by {row.void_reason}" if row.void_reason else f"since {at}",
            fix=f"casparian approval show {name}",
        )
    return row


def _verified(connection: Connection, terms: Terms, given: Given, decision: Decision) -> Statement:
    """What was signed, if the key is a living one of who asks."""
    name = label(terms.kind, terms.proposal)
    if not given.digest:
        raise UsageError(
            f"the decision about {name} does not say what was seen",
            why="its digest is empty, and it is sent whole",
            fix=f"casparian approval show {name}",
        )
    if given.digest != terms.digest:
        raise VersionChanged(
            f"{name} is not what you saw",
            why=f"you saw {given.digest}, now it is {terms.digest}",
            fix=f"casparian approval show {name}",
        )
    known = keys.key(connection, given.key)
    if known is None:
        raise KeyMissing(f"the key {given.key!r} is not one of this home")
    if known.revoked_at_ns is not None or known.actor != given.actor:
        why = "it was revoked" if known.revoked_at_ns is not None else f"it belongs to {known.actor}"
        raise ApprovalInvalid(f"the key {known.key_id} cannot decide for {given.actor}", why=why)
    statement = Statement(
        home=terms.home,
        proposal=terms.proposal,
        digest=terms.digest,
        decision=decision,
        actor=given.actor,
        reason=given.reason,
        at_ns=given.at_ns,
    )
    verify(known.public, given.signature, statement)
    return statement


def _keep(
    connection: Connection, statement: Statement, *, key: str | None, signature: bytes | None, is_self: bool
) -> None:
    """Keep it once: a decision under a key that was revoked since makes room for one under a living key."""
    kept = next(
        (
            row
            for row in decisions_about(connection, statement.proposal, statement.digest)
            if row.actor == statement.actor
        ),
        None,
    )
    if kept is None:
        add_decision(connection, statement, key=key, signature=signature, is_self=is_self)
    elif is_revoked(connection, kept) or kept.decision != statement.decision:
        replace_decision(connection, kept.id, statement, key=key, signature=signature)
