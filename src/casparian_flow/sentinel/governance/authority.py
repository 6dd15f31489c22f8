"""By what right a proposal is applied: signatures of persons, or a policy that they set before."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection

from casparian_flow.core.amendments import Add, Op, Relax, Widen
from casparian_flow.core.drift import Axis, Mode, Modes
from casparian_flow.core.errors import ApprovalInvalid, Refused
from casparian_flow.core.proofs import Terms, evidence_digest
from casparian_flow.core.proposal_bodies import Amendment, Body, FirstContract
from casparian_flow.core.proposals import APPROVERS, Decision, Kind, Risk, label
from casparian_flow.core.signing import verify
from casparian_flow.store import keys
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import signed_part
from casparian_flow.store.signed import decisions_about, statement_of

BY_POLICY = "policy"
"""The actor of decisions that a setting made."""
HARMLESS = frozenset({Risk.ADDITIVE, Risk.LOSSLESS})
_EVOLVING: dict[type[Op], tuple[Axis, ...]] = {
    Add: (Axis.NEW_COLUMN,),
    Widen: (Axis.TYPE,),
    Relax: (Axis.MISSING_COLUMN, Axis.NULLABILITY),
}
"""The operations that the mode `evolve` may apply, and on which axis it must be set for that."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Persons signed its digest, as many as its risk asks for."""


class Rule(StrEnum):
    """What a policy rests on."""

    ADOPT = "first_contract=adopt"
    DECLARED = "declared by the parser"
    EVOLVE = "drift mode evolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A setting decided it. `modes` are the effective ones of the table, for EVOLVE."""

    rule: Rule
    modes: Modes = field(default_factory=Modes)


Authority = Signed | Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a proposal is from being approved.

    `reason` is that of the last who approved; `uncounted` says of decisions why they count for nothing.
    """

    approvers: tuple[str, ...]
    needed: int
    is_single_person: bool
    reason: str = ""
    uncounted: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether so many persons agree as its risk asks for; in the home of one person that one is enough."""
        return len(self.approvers) >= (1 if self.is_single_person else self.needed)


def checked_terms(connection: Connection, row: AnyRow) -> Terms:
    """What is decided about, made anew; raises ApprovalInvalid if what is kept is not what was proposed."""
    terms = proposal_store.terms_of(connection, row.id)
    if terms.digest != row.digest or evidence_digest(signed_part(connection, row.id)) != terms.evidence_digest:
        name = label(terms.kind, row.id)
        raise ApprovalInvalid(
            f"{name} is not what was proposed: somebody changed it in the database",
            why=f"proposed as {row.digest}",
            fix=f"casparian approval withdraw {name}",
        )
    return terms


def standing(connection: Connection, terms: Terms, proposed_at_ns: int) -> Standing:
    """Who approved exactly these terms, each signature verified anew with the key that is enrolled.

    Who proposed counts only in what was the home of a single person all the time since. Decisions whose key was revoked
    do not count. Raises ApprovalInvalid for a kept decision that nobody can have signed: then somebody changed the
    database.
    """
    is_single = keys.is_single_person(connection, proposed_at_ns)
    approvers: dict[str, str] = {}
    uncounted = []
    for row in decisions_about(connection, terms.proposal, terms.digest):
        if row.decision != Decision.APPROVE:
            continue
        if is_revoked(connection, row):
            uncounted.append(f"the key of {row.actor} was revoked")
            continue
        check_signature(connection, terms.home, row)
        if row.actor == terms.proposed_by and not is_single:
            uncounted.append(f"{row.actor} proposed it")
            continue
        approvers[row.actor] = row.reason
    return Standing(
        approvers=tuple(approvers),
        needed=APPROVERS[terms.risk],
        is_single_person=is_single,
        reason=next(filter(None, reversed(approvers.values())), ""),
        uncounted=tuple(uncounted),
    )


def is_revoked(connection: Connection, row: AnyRow) -> bool:
    """Whether the key of a kept decision was one of this home and is none any more."""
    known = None if row.key_id is None else keys.key(connection, row.key_id)
    return known is not None and known.revoked_at_ns is not None


def check_signature(connection: Connection, home: str, row: AnyRow) -> None:
    """Raises ApprovalInvalid unless a kept decision is signed with a living key of its actor."""
    known = None if row.key_id is None else keys.key(connection, row.key_id)
    if known is None or row.signature is None:
        raise ApprovalInvalid(
            f"the decision of {row.actor} about proposal {row.proposal_id} is not signed with a key of this home"
        )
    if known.revoked_at_ns is not None:
        raise ApprovalInvalid(
            f"the decision of {row.actor} about proposal {row.proposal_id} is signed with a revoked key",
            why=f"key {known.key_id}",
        )
    if known.actor != row.actor:
        raise ApprovalInvalid(
            f"the decision of {row.actor} about proposal {row.proposal_id} is signed by somebody else",
            why=f"key {known.key_id} belongs to {known.actor}",
        )
    verify(known.public, row.signature, statement_of(home, row))


def check_policy(policy: Policy, kind: Kind, proposal: int, risk: Risk, body: Body) -> None:
    """Raises Refused unless the policy may decide such a change."""
    if policy.rule is not Rule.EVOLVE:
        is_allowed = kind is Kind.CONTRACT
    elif isinstance(body, FirstContract):
        is_new_output = bool(body.contract.takes_undeclared) and policy.modes.new_output is Mode.EVOLVE
        is_allowed = is_new_output and risk in HARMLESS
    else:
        is_allowed = isinstance(body, Amendment) and risk in HARMLESS and _evolves(body, policy.modes)
    if not is_allowed:
        raise Refused(
            f"{label(kind, proposal)} is not for a policy to decide",
            why=f"it is {risk}, and the policy is: {policy.rule}",
            fix=f"casparian approval show {label(kind, proposal)}",
        )


def _evolves(body: Amendment, modes: Modes) -> bool:
    def may(operation: Op) -> bool:
        if isinstance(operation, Relax) and operation.column is None:
            return False  # a rule is never loosened by the data alone
        return any(modes.of(axis) is Mode.EVOLVE for axis in _EVOLVING.get(type(operation), ()))

    return bool(body.operations) and all(map(may, body.operations))
