"""The one function that applies an approved change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.errors import InvariantBroken, ProposalVoid, Refused, VerdictContradicted
from casparian_flow.core.proofs import Empirical, Impact, Terms, Verdicts
from casparian_flow.core.proposal_bodies import Body, body_of
from casparian_flow.core.proposals import Decision, Kind, State, label
from casparian_flow.core.signing import Statement
from casparian_flow.sentinel.governance.authority import (
    BY_POLICY,
    Authority,
    Policy,
    check_policy,
    checked_terms,
    standing,
)
from casparian_flow.sentinel.governance.effects import Change, Effect, Effected
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.governed import Ground, mark_applied, mark_approved
from casparian_flow.store.signed import add_decision

if TYPE_CHECKING:
    from casparian_flow.sentinel.planning.undone_files import UndoneFile

EFFECTS: Mapping[Kind, str] = {
    Kind.CONTRACT: "effects_contract.FIRST",
    Kind.AMENDMENT: "effects_amendment.AMENDED",
    Kind.PARSER: "effects_parser.ACTIVATED",
    Kind.PURGE: "effects_purge.PURGED",
    Kind.REPLAY: "effects_replay.REPLAYED",
    Kind.WAIVER: "effects_waiver.WAIVED",
}
"""What each kind of change does: a module beside this one and a name in it, imported when a change is applied."""
GONE = "what it would change is not as it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A proposal that is applied. `plans` are runs to hand to the execution once the transaction has ended.

    `unread` and `undone` are those of `Effected`.
    """

    proposal: int
    kind: Kind
    table: str | None
    decided_by: tuple[str, ...]
    contract: int | None = None
    plans: tuple[int, ...] = ()
    unread: int = 0
    undone: tuple[UndoneFile, ...] = ()


def apply(connection: Connection, proposal: int, authority: Authority, now_ns: int) -> Applied:
    """Make a proposal true, inside the caller's transaction: all of it, or with an exception nothing.

    In this order: what was decided about is still what is kept, evidence included; what it would change is still as it
    was; the data do not contradict it; the authority is enough, each signature verified anew; its effect; then it is
    applied. Raises VersionChanged unless it is proposed, ProposalVoid if its base moved (`void_if_moved` then says
    so for good), VerdictContradicted, ApprovalInvalid for what is forged, Refused if more persons have to approve.
    """
    with connection.begin_nested():
        return _apply(connection, proposal, authority, now_ns)


def _apply(connection: Connection, proposal: int, authority: Authority, now_ns: int) -> Applied:
    row = proposal_store.one(connection, proposal)
    terms = checked_terms(connection, row)
    body, kind = body_of(terms.body), Kind(row.kind)
    mark_approved(connection, proposal, terms.digest, now_ns)
    _check_verdict(kind, proposal, terms)
    if isinstance(authority, Policy):
        decided_by, reason = _by_policy(connection, authority, row, terms, body, now_ns), str(authority.rule)
    else:
        decided_by, reason = _by_persons(connection, row, terms)
    change = _change(row, terms, body, decided_by, reason, now_ns, is_by_policy=isinstance(authority, Policy))
    _check_base(connection, change)
    effected: Effected = _effect(kind).perform(connection, change)
    mark_applied(connection, proposal, now_ns)
    return Applied(
        proposal=proposal,
        kind=kind,
        table=row.table_name,
        decided_by=decided_by,
        contract=effected.contract,
        plans=effected.plans,
        unread=effected.unread,
        undone=effected.undone,
    )


def check_ready(connection: Connection, proposal: int, now_ns: int) -> None:
    """Raises what `apply` would raise however many persons agree: VerdictContradicted, ProposalVoid."""
    change = _undecided(connection, proposal, now_ns)
    _check_verdict(change.kind, proposal, proposal_store.terms_of(connection, proposal))
    _check_base(connection, change)


def void_if_moved(connection: Connection, proposal: int, now_ns: int) -> bool:
    """End a proposal whose base is not in force any more; whether it was one."""
    if proposal_store.one(connection, proposal).state != State.PROPOSED:
        return False
    if not _has_moved(connection, _undecided(connection, proposal, now_ns)):
        return False
    proposal_store.move(connection, proposal, State.VOID, now_ns, why=GONE)
    return True


def _undecided(connection: Connection, proposal: int, now_ns: int) -> Change:
    """What would be applied, were it decided."""
    row, terms = proposal_store.one(connection, proposal), proposal_store.terms_of(connection, proposal)
    return _change(row, terms, body_of(terms.body), (), "", now_ns, is_by_policy=False)


def _check_base(connection: Connection, change: Change) -> None:
    if _has_moved(connection, change):
        raise ProposalVoid(f"{label(change.kind, change.proposal)} can no longer be applied", why=GONE)


def _has_moved(connection: Connection, change: Change) -> bool:
    return _effect(change.kind).base(connection, change) != change.base_digest


def _check_verdict(kind: Kind, proposal: int, terms: Terms) -> None:
    if kind is not Kind.AMENDMENT:
        return
    said = None if terms.empirical is None else msgspec.json.decode(terms.empirical, type=Empirical)
    if said is not None and said.is_complete and not said.contradicts:
        return
    name = label(kind, proposal)
    if said is not None and said.contradicts:
        raise VerdictContradicted(
            f"the data contradict what {name} is thought to do",
            why="; ".join(said.contradicts),
            fix=f"casparian approval show {name}",
        )
    raise VerdictContradicted(
        f"{name} was not compared with all rows that are kept", fix=f"casparian contract propose {name} --full"
    )


def _by_policy(
    connection: Connection, policy: Policy, row: AnyRow, terms: Terms, body: Body, now_ns: int
) -> tuple[str, ...]:
    check_policy(policy, terms.kind, terms.proposal, terms.risk, body)
    statement = Statement(
        home=terms.home,
        proposal=terms.proposal,
        digest=terms.digest,
        decision=Decision.POLICY,
        actor=BY_POLICY,
        reason=policy.rule,
        at_ns=now_ns,
    )
    add_decision(connection, statement, key=None, signature=None, is_self=False)
    return (row.proposed_by,)


def _by_persons(connection: Connection, row: AnyRow, terms: Terms) -> tuple[tuple[str, ...], str]:
    stands = standing(connection, terms, row.proposed_at_ns)
    if not stands.is_enough:
        name = label(terms.kind, terms.proposal)
        raise Refused(
            f"{name} has {len(stands.approvers)} of {stands.needed} approvals",
            why="; ".join(stands.uncounted),
            fix=f"casparian approve {name} --reason TEXT, by somebody else",
        )
    return stands.approvers, stands.reason


def _change(
    row: AnyRow,
    terms: Terms,
    body: Body,
    decided_by: tuple[str, ...],
    reason: str,
    now_ns: int,
    *,
    is_by_policy: bool,
) -> Change:
    ground = Ground(
        proposal=terms.proposal,
        digest=terms.digest,
        proposed_by=row.proposed_by,
        decided_by=", ".join(decided_by),
        reason=reason,
        now_ns=now_ns,
    )
    return Change(
        proposal=terms.proposal,
        kind=terms.kind,
        table=row.table_name,
        subject=row.subject,
        base_digest=terms.base_digest,
        body=body,
        verdicts=None if terms.verdicts is None else msgspec.json.decode(terms.verdicts, type=Verdicts),
        impact=None if terms.impact is None else msgspec.json.decode(terms.impact, type=Impact),
        wish=row.reason,
        ground=ground,
        is_by_policy=is_by_policy,
    )


def _effect(kind: Kind) -> Effect:
    if (where := EFFECTS.get(kind)) is None:
        raise InvariantBroken(f"nothing says what an applied {kind} does")
    module, _, name = where.partition(".")
    effect: Effect = getattr(import_module(f"{__package__}.{module}"), name)
    return effect
