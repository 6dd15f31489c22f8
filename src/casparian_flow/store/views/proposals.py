"""Proposals as they are listed and looked at."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, case, exists, func, literal_column, or_, select

from casparian_flow.core.drift import Axis
from casparian_flow.core.proposals import Kind, State
from casparian_flow.store.tables import (
    approvals,
    drift,
    jobs,
    keys,
    locations,
    materializations,
    proposal_evidence,
    proposals,
)

_is_revoked = exists().where(keys.c.key_id == approvals.c.key_id, keys.c.revoked_at_ns.is_not(None))
_approved = (
    select(func.count(approvals.c.actor.distinct()))
    .where(
        approvals.c.proposal_id == proposals.c.id,
        approvals.c.digest == proposals.c.digest,
        approvals.c.decision.in_([literal_column("'approve'"), literal_column("'policy'")]),
        # What was applied stays approved, whoever's key is revoked later.
        or_(proposals.c.state == literal_column("'applied'"), ~_is_revoked),
    )
    .scalar_subquery()
)
_by_who_proposed = (
    select(func.coalesce(func.max(approvals.c.is_self), 0))
    .where(
        approvals.c.proposal_id == proposals.c.id,
        approvals.c.digest == proposals.c.digest,
        approvals.c.decision == literal_column("'approve'"),
    )
    .scalar_subquery()
)
_by_policy = (
    select(func.count())
    .where(
        approvals.c.proposal_id == proposals.c.id,
        approvals.c.digest == proposals.c.digest,
        approvals.c.decision == literal_column("'policy'"),
    )
    .scalar_subquery()
)
_OPEN_FIRST = case(
    (proposals.c.state == literal_column("'proposed'"), 0),
    (proposals.c.state.in_([literal_column("'draft'"), literal_column("'changes_requested'")]), 1),
    else_=2,
)
ENTRIES = select(
    proposals,
    _approved.label("approved"),
    _by_who_proposed.label("is_self_approved"),
    _by_policy.label("is_by_policy"),
).order_by(_OPEN_FIRST, proposals.c.id.desc())
EVIDENCE = (
    select(
        proposal_evidence.c.job_id,
        proposal_evidence.c.source_hash,
        proposal_evidence.c.rows,
        proposal_evidence.c.samples,
        proposal_evidence.c.is_signed,
        locations.c.display.label("path"),
        jobs.c.version_id,
        jobs.c.plan_id,
    )
    .join(jobs, jobs.c.id == proposal_evidence.c.job_id)
    .join(locations, locations.c.id == jobs.c.location_id)
    .where(proposal_evidence.c.proposal_id == bindparam("proposal"))
    .order_by(proposal_evidence.c.rows.desc(), proposal_evidence.c.job_id)
    .limit(bindparam("most"))
)
# A file lacks a column where every row that came in from it had to do without.
_came_in = (
    select(materializations.c.job_id, func.max(materializations.c.accepted).label("accepted"))
    .where(materializations.c.table_name == bindparam("of_table"))
    .group_by(materializations.c.job_id)
    .subquery("came_in")
)
MISSING = (
    select(drift.c.column_name)
    .select_from(
        proposal_evidence.join(drift, drift.c.job_id == proposal_evidence.c.job_id).join(
            _came_in, _came_in.c.job_id == drift.c.job_id
        )
    )
    .where(
        proposal_evidence.c.proposal_id == bindparam("proposal"),
        drift.c.table_name == bindparam("of_table"),
        drift.c.axis == Axis.MISSING_COLUMN.value,
        drift.c.rows >= _came_in.c.accepted,
    )
    .group_by(drift.c.column_name)
    .having(func.count(drift.c.job_id.distinct()) == bindparam("files"))
    .order_by(drift.c.column_name)
)
FILES = select(func.count()).where(proposal_evidence.c.proposal_id == bindparam("proposal"))
SINCE = select(func.coalesce(func.sum(proposal_evidence.c.rows), 0)).where(
    proposal_evidence.c.proposal_id == bindparam("proposal"), proposal_evidence.c.is_signed.is_(False)
)


def list_proposals(
    connection: Connection, *, kind: Kind | None, states: Sequence[State], table: str | None = None
) -> Sequence[RowMapping]:
    """Proposals in these states: those that wait for a decision first, then drafts, the newest first.

    Beside the columns of the table: `approved`, how many actors approved exactly this digest, `is_self_approved`,
    whether who proposed it is one of them, and `is_by_policy`. Signatures are not looked at here.
    """
    statement = ENTRIES.where(proposals.c.state.in_(states))
    if kind is not None:
        statement = statement.where(proposals.c.kind == kind)
    if table is not None:
        statement = statement.where(proposals.c.table_name == table)
    return connection.execute(statement).mappings().all()


def by_number(connection: Connection, proposal: int) -> RowMapping | None:
    """One of them."""
    return connection.execute(ENTRIES.where(proposals.c.id == proposal)).mappings().first()


def evidence_files(connection: Connection, proposal: int, most: int) -> Sequence[RowMapping]:
    """The files that speak for it, most rows first."""
    return connection.execute(EVIDENCE, {"proposal": proposal, "most": most}).mappings().all()


def missing_in_all(connection: Connection, proposal: int, table: str) -> Sequence[str]:
    """The columns of a table that no file has which speaks for the proposal; none where no file does."""
    files = connection.execute(FILES, {"proposal": proposal}).scalar_one()
    asked = {"proposal": proposal, "of_table": table, "files": files}
    return connection.execute(MISSING, asked).scalars().all()


def rows_since(connection: Connection, proposal: int) -> int:
    """How many rows came after what its digest is about."""
    return int(connection.execute(SINCE, {"proposal": proposal}).scalar_one())
