"""Proposals: drafted once for each cause, proposed under a digest that never changes, moved along their life.

What approves or applies one stands in `store.governed`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, text, update

from casparian_flow.core.contracts import ContractState
from casparian_flow.core.errors import InvariantBroken, NotFound, ProposalVoid, VersionChanged
from casparian_flow.core.proofs import Empirical, Impact, Terms, Verdicts, evidence_digest, text_of
from casparian_flow.core.proposal_bodies import Body, body_text
from casparian_flow.core.proposals import GOVERNED, MOVES, Kind, Origin, Risk, State, label
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import evidence_of, hand_over, sign_evidence
from casparian_flow.store.meta import home_id
from casparian_flow.store.prepared import Prepared, each_of
from casparian_flow.store.tables import contracts, proposals
from casparian_flow.store.tables.governance import IS_LIVING

_is_living = text(IS_LIVING)
ADD = insert(proposals).returning(proposals.c.id)
BY_ID = select(proposals).where(proposals.c.id == bindparam("proposal"))
LIVING_OF_CAUSE = select(proposals).where(proposals.c.signature == bindparam("cause"), _is_living)
LIVING_OF_TABLE = (
    select(proposals).where(proposals.c.table_name == bindparam("of_table"), _is_living).order_by(proposals.c.id)
)
LIVING_OF_CAUSES = Prepared(
    select(proposals.c.id, proposals.c.signature, proposals.c.survey).where(
        proposals.c.signature.in_(each_of("causes")), _is_living
    )
)
TOUCHED = (
    select(proposals)
    .where(proposals.c.touched_by_plan.in_(bindparam("plans", expanding=True)), _is_living)
    .order_by(proposals.c.id)
)
DRAFTED_BY_SYSTEM = select(func.count()).where(
    proposals.c.table_name == bindparam("of_table"),
    proposals.c.origin == literal_column("'system'"),
    _is_living,
)
REWRITE = (
    update(proposals)
    .where(
        proposals.c.id == bindparam("proposal"),
        proposals.c.state.in_([literal_column("'draft'"), literal_column("'changes_requested'")]),
    )
    .values(
        body=bindparam("its_body"),
        reason=bindparam("its_reason"),
        base_digest=bindparam("base"),
        verdicts=bindparam("its_verdicts"),
        risk=bindparam("its_risk"),
    )
)
TOUCH = Prepared(
    update(proposals)
    .where(proposals.c.id == bindparam("proposal"))
    .values(touched_by_plan=bindparam("plan"), survey=bindparam("merged"))
)
PROPOSE = (
    update(proposals)
    .where(proposals.c.id == bindparam("proposal"), proposals.c.state == bindparam("seen"))
    .values(
        state=State.PROPOSED,
        round=bindparam("its_round"),
        evidence_digest=bindparam("evidence"),
        verdicts=bindparam("its_verdicts"),
        empirical=bindparam("its_empirical"),
        impact=bindparam("its_impact"),
        risk=bindparam("its_risk"),
        digest=bindparam("its_digest"),
        proposed_at_ns=bindparam("now_ns"),
        decided_at_ns=None,
    )
)
MOVE = (
    update(proposals)
    .where(proposals.c.id == bindparam("proposal"), proposals.c.state == bindparam("seen"))
    .values(state=bindparam("to"), decided_at_ns=bindparam("now_ns"), void_reason=bindparam("why"))
)
ENDED_BY = (
    select(proposals.c.id, proposals.c.kind, proposals.c.void_reason)
    .where(
        proposals.c.state == literal_column("'void'"),
        (proposals.c.void_reason == bindparam("why"))
        | proposals.c.void_reason.startswith(bindparam("why_and"), autoescape=False),
    )
    .order_by(proposals.c.id)
)
SUCCEED = update(proposals).where(proposals.c.id == bindparam("proposal")).values(void_reason=bindparam("why"))

VOID_HELD = (
    update(contracts)
    .where(contracts.c.proposal_id == bindparam("proposal"), contracts.c.state == literal_column("'proposed'"))
    .values(state=ContractState.VOID)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A change that somebody or something wants. `signature` is that of its cause (`core.proofs`)."""

    kind: Kind
    signature: str
    table: str | None
    base_digest: str
    body: Body
    origin: Origin
    proposed_by: str
    subject: str = ""
    reason: str = ""
    survey: bytes | None = None
    plan: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known when a draft is proposed."""

    risk: Risk
    verdicts: Verdicts | None = None
    empirical: Empirical | None = None
    impact: Impact | None = None


def draft(connection: Connection, wanted: Draft, now_ns: int) -> int:
    """The proposal that lives for this cause: the one that is there, unchanged, or a new draft."""
    known = living(connection, wanted.signature)
    if known is not None:
        return int(known.id)
    return int(
        connection.execute(
            ADD,
            {
                "kind": wanted.kind,
                "state": State.DRAFT,
                "signature": wanted.signature,
                "table_name": wanted.table,
                "subject": wanted.subject,
                "base_digest": wanted.base_digest,
                "body": body_text(wanted.body),
                "survey": wanted.survey,
                "origin": wanted.origin,
                "proposed_by": wanted.proposed_by,
                "reason": wanted.reason,
                "drafted_at_ns": now_ns,
                "touched_by_plan": wanted.plan,
            },
        ).scalar_one()
    )


def living(connection: Connection, signature: str) -> AnyRow | None:
    """The proposal that is not over yet for a cause."""
    return connection.execute(LIVING_OF_CAUSE, {"cause": signature}).first()


def living_of_table(connection: Connection, table: str) -> list[AnyRow]:
    """The proposals about a table that are not over yet, the oldest first."""
    return list(connection.execute(LIVING_OF_TABLE, {"of_table": table}))


def living_of_causes(connection: Connection, causes: Collection[str]) -> dict[str, AnyRow]:
    """Number and survey of the proposals that are not over yet, by the signature of their cause."""
    rows = LIVING_OF_CAUSES.rows(connection, causes=json.dumps(sorted(causes)))
    return {row.signature: row for row in rows}


def drafted_by_system(connection: Connection, table: str) -> int:
    """How many of a table's living proposals nobody asked for."""
    return int(connection.execute(DRAFTED_BY_SYSTEM, {"of_table": table}).scalar_one())


def touched(connection: Connection, plans: Sequence[int]) -> list[AnyRow]:
    """The proposals that are not over yet to which one of these runs was the last to bring evidence."""
    return list(connection.execute(TOUCHED, {"plans": list(plans)}))


def touch(connection: Connection, plan: int | None, surveys: Mapping[int, bytes | None]) -> None:
    """A run brought more evidence for these: keep which, and what the values look like now."""
    rows = [{"proposal": proposal, "plan": plan, "merged": survey} for proposal, survey in surveys.items()]
    TOUCH.run_all(connection, rows)


def rewrite(
    connection: Connection,
    proposal: int,
    body: Body,
    base_digest: str,
    reason: str,
    *,
    verdicts: Verdicts | None = None,
    risk: Risk | None = None,
) -> None:
    """Say otherwise what is wanted, while it is not proposed; raises VersionChanged if it is.

    `verdicts` and `risk` are what follows from it so far; they are found again when it is proposed.
    """
    values = {
        "proposal": proposal,
        "its_body": body_text(body),
        "its_reason": reason,
        "base": base_digest,
        "its_verdicts": text_of(verdicts),
        "its_risk": risk,
    }
    if connection.execute(REWRITE, values).rowcount != 1:
        raise _moved(one(connection, proposal), State.PROPOSED)


def propose(connection: Connection, proposal: int, proof: Proof, now_ns: int) -> str:
    """Put a draft, or what was changed on request, before those who decide; its digest.

    The digest is about everything that is known now and never changes; proposed again, it is another one. Raises
    VersionChanged if the proposal is neither.
    """
    row = one(connection, proposal)
    if State.PROPOSED not in MOVES[State(row.state)]:
        raise _moved(row, State.PROPOSED)
    number = row.round + 1
    evidence = evidence_digest(evidence_of(connection, proposal))
    values = {
        "its_round": number,
        "evidence": evidence,
        "its_verdicts": text_of(proof.verdicts),
        "its_empirical": text_of(proof.empirical),
        "its_impact": text_of(proof.impact),
        "its_risk": proof.risk,
    }
    terms = Terms(
        home=home_id(connection),
        proposal=proposal,
        round=number,
        kind=Kind(row.kind),
        table=row.table_name,
        subject=row.subject,
        proposed_by=row.proposed_by,
        base_digest=row.base_digest,
        body=row.body,
        evidence_digest=evidence,
        verdicts=values["its_verdicts"],
        empirical=values["its_empirical"],
        impact=values["its_impact"],
        risk=proof.risk,
    )
    connection.execute(
        PROPOSE, {**values, "proposal": proposal, "seen": row.state, "its_digest": terms.digest, "now_ns": now_ns}
    )
    sign_evidence(connection, proposal)
    return terms.digest


def terms_of(connection: Connection, proposal: int) -> Terms:
    """What a decision about it is bound to, made anew from what is kept: a digest in the database is not trusted.

    Raises ProposalVoid for one that was never proposed.
    """
    row = one(connection, proposal)
    if row.digest is None or row.evidence_digest is None or row.risk is None:
        raise ProposalVoid(f"{label(Kind(row.kind), proposal)} is {row.state}, and was never proposed")
    return Terms(
        home=home_id(connection),
        proposal=proposal,
        round=row.round,
        kind=Kind(row.kind),
        table=row.table_name,
        subject=row.subject,
        proposed_by=row.proposed_by,
        base_digest=row.base_digest,
        body=row.body,
        evidence_digest=row.evidence_digest,
        verdicts=row.verdicts,
        empirical=row.empirical,
        impact=row.impact,
        risk=Risk(row.risk),
    )


def move(connection: Connection, proposal: int, to: State, now_ns: int, *, why: str | None = None) -> None:
    """End it, or send it back: rejected, withdrawn, void, or with changes requested.

    The contract that waits under a void first contract is void with it: its table is to wait no more for a decision.
    Raises VersionChanged if its state does not allow that. Who approves and applies is `store.governed`.
    """
    if to in GOVERNED or to in (State.DRAFT, State.PROPOSED):
        raise InvariantBroken(f"a proposal does not become {to} by being moved")
    row = one(connection, proposal)
    if to not in MOVES[State(row.state)]:
        raise _moved(row, to)
    connection.execute(MOVE, {"proposal": proposal, "seen": row.state, "to": to, "now_ns": now_ns, "why": why})
    if to is State.VOID and row.kind == Kind.CONTRACT:
        connection.execute(VOID_HELD, {"proposal": proposal})


def replace_void(connection: Connection, proposal: int, wanted: Draft, why: str, now_ns: int) -> int:
    """Void it, and draft the same anew with all its evidence; the number of the new draft, which the old one names."""
    move(connection, proposal, State.VOID, now_ns, why=why)
    heir = draft(connection, wanted, now_ns)
    connection.execute(SUCCEED, {"proposal": proposal, "why": f"{why}; {label(wanted.kind, heir)} takes its place"})
    hand_over(connection, proposal, heir)
    return heir


def ended_by(connection: Connection, why: str) -> list[AnyRow]:
    """The proposals that are void for that reason, also those in whose place there is another."""
    return list(connection.execute(ENDED_BY, {"why": why, "why_and": f"{why};"}))


def one(connection: Connection, proposal: int) -> AnyRow:
    """One proposal's row; raises NotFound."""
    row = connection.execute(BY_ID, {"proposal": proposal}).first()
    if row is None:
        raise NotFound(f"there is no proposal {proposal}", fix="casparian approval list")
    return row


def _moved(row: AnyRow, to: State) -> VersionChanged:
    return VersionChanged(f"{label(Kind(row.kind), row.id)} is {row.state}, and cannot become {to}")
