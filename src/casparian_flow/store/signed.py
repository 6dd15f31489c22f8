"""What was decided about proposals, by whom, with which signature."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from casparian_flow.core.errors import VersionChanged
from casparian_flow.core.proposals import Decision
from casparian_flow.core.signing import Statement
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import approvals

ADD = insert(approvals).returning(approvals.c.id)
REPLACE = (
    update(approvals)
    .where(approvals.c.id == bindparam("kept"))
    .values({name: bindparam(f"its_{name}") for name in ("decision", "key_id", "signature", "reason", "at_ns")})
)
OF_PROPOSAL = select(approvals).where(approvals.c.proposal_id == bindparam("proposal")).order_by(approvals.c.id)
OF_DIGEST = OF_PROPOSAL.where(approvals.c.digest == bindparam("of_digest"))


def add_decision(
    connection: Connection, statement: Statement, *, key: str | None, signature: bytes | None, is_self: bool
) -> int:
    """Keep what somebody decided, as it was signed; its number.

    By policy, and where something is taken back, there is neither key nor signature.

    An actor decides once about one digest: raises VersionChanged for a second time.
    """
    values = {
        "proposal_id": statement.proposal,
        "digest": statement.digest,
        "decision": statement.decision,
        "actor": statement.actor,
        "key_id": key,
        "signature": signature,
        "is_self": is_self,
        "reason": statement.reason,
        "at_ns": statement.at_ns,
    }
    try:
        with connection.begin_nested():
            return int(connection.execute(ADD, values).scalar_one())
    except IntegrityError as exc:
        raise VersionChanged(f"{statement.actor} has decided about proposal {statement.proposal} already") from exc


def replace_decision(
    connection: Connection, kept: int, statement: Statement, *, key: str | None, signature: bytes | None
) -> None:
    """The same actor decides about the same digest once more; only while the proposal can still be decided."""
    values = {
        "its_decision": statement.decision,
        "its_key_id": key,
        "its_signature": signature,
        "its_reason": statement.reason,
        "its_at_ns": statement.at_ns,
    }
    connection.execute(REPLACE, {**values, "kept": kept})


def decisions_of(connection: Connection, proposal: int) -> list[AnyRow]:
    """Everything that was ever decided about it, the oldest first."""
    return list(connection.execute(OF_PROPOSAL, {"proposal": proposal}))


def decisions_about(connection: Connection, proposal: int, digest: str) -> list[AnyRow]:
    """What was decided about exactly this digest: earlier rounds do not count."""
    return list(connection.execute(OF_DIGEST, {"proposal": proposal, "of_digest": digest}))


def is_self_approved(connection: Connection, proposal: int, digest: str) -> bool:
    """Whether who proposed it is among those who approved it: in the home of one person."""
    approved = (row for row in decisions_about(connection, proposal, digest) if row.decision == Decision.APPROVE)
    return any(row.is_self for row in approved)


def statement_of(home: str, row: AnyRow) -> Statement:
    """What the signature in a row of `decisions_of` must be about."""
    return Statement(
        home=home,
        proposal=row.proposal_id,
        digest=row.digest,
        decision=Decision(row.decision),
        actor=row.actor,
        reason=row.reason,
        at_ns=row.at_ns,
    )
