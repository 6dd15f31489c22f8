"""Claiming queued jobs: one atomic statement on every database, side by side.

Each sets `dispatched`, raises the attempt and returns what was claimed; of two racing claimers exactly one gets a job.
The SQLite form runs today; the others compile to golden SQL and run with the scale work.
"""

from __future__ import annotations

from sqlalchemy import Select, Update, bindparam, literal_column, select, text, update
from sqlalchemy.sql.dml import ReturningUpdate

from casparian_flow.core.jobs import JobPhase
from casparian_flow.store.tables import jobs, locations

CLAIMED = (
    jobs.c.id,
    jobs.c.attempt,
    jobs.c.plan_id,
    jobs.c.location_id,
    jobs.c.version_id,
    jobs.c.source_hash,
    jobs.c.parser_id,
    jobs.c.config,
    jobs.c.config_hash,
    jobs.c.routes,
    jobs.c.base_table,
    jobs.c.failures,
)

_QUEUED = jobs.c.state == literal_column("'queued'")
_DUE = jobs.c.not_before_ns <= bindparam("now_ns")
_BY_PRIORITY = (jobs.c.priority.desc(), jobs.c.id)


def _taking(statement: Update) -> Update:
    return statement.values(
        state=literal_column("'dispatched'"),
        attempt=jobs.c.attempt + 1,
        worker=bindparam("worker"),
        session=bindparam("holder"),
        phase=literal_column(f"'{JobPhase.STARTING}'"),
        lease_until_ns=bindparam("lease_until_ns"),
    )


def _next(limit: int, *conditions: object, oldest_first: bool = False) -> Select[tuple[int]]:
    order = (jobs.c.id,) if oldest_first else _BY_PRIORITY
    return select(jobs.c.id).where(_QUEUED, _DUE, *conditions).order_by(*order).limit(literal_column(str(limit)))  # type: ignore[arg-type]


def claim_on_sqlite(
    limit: int = 1, *, oldest_first: bool = False, of_parsers: bool = False, of_sources: bool = False
) -> ReturningUpdate[tuple[object, ...]]:
    """The next jobs by priority, or the oldest ones so that nothing starves.

    With `of_parsers` and `of_sources` only jobs of the parsers and the sources whose ids are given.
    """
    conditions = []
    if of_parsers:
        conditions.append(jobs.c.parser_id.in_(bindparam("parsers", expanding=True)))
    if of_sources:
        its = select(locations.c.id).where(locations.c.source_id.in_(bindparam("sources", expanding=True)))
        conditions.append(jobs.c.location_id.in_(its))
    chosen = _next(limit, *conditions, oldest_first=oldest_first).scalar_subquery()
    return _taking(update(jobs).where(_QUEUED, jobs.c.id.in_(chosen))).returning(*CLAIMED)


def claim_alike_on_sqlite(limit: int, *, of_sources: bool = False) -> ReturningUpdate[tuple[object, ...]]:
    """More jobs of small files that can share a process with one already claimed; one plan has one set of routes.

    None that has failed before: what is alone stands in nobody's way.
    """
    its = select(locations.c.id).where(locations.c.source_id.in_(bindparam("sources", expanding=True)))
    chosen = _next(
        limit,
        jobs.c.parser_id == bindparam("same_parser"),
        jobs.c.config_hash == bindparam("same_config"),
        jobs.c.plan_id == bindparam("same_plan"),
        jobs.c.failures == 0,
        text("(SELECT size FROM scout_versions v WHERE v.id = cf_jobs.version_id) <= :largest"),
        *([jobs.c.location_id.in_(its)] if of_sources else []),
    ).scalar_subquery()
    return _taking(update(jobs).where(_QUEUED, jobs.c.id.in_(chosen))).returning(*CLAIMED)


def claim_on_postgresql(limit: int = 1) -> ReturningUpdate[tuple[object, ...]]:
    """The same for PostgreSQL: rows that another claimer holds are passed over."""
    chosen = _next(limit).with_for_update(skip_locked=True).scalar_subquery()
    return _taking(update(jobs).where(jobs.c.id.in_(chosen))).returning(*CLAIMED)


def claim_on_mssql(limit: int = 1) -> ReturningUpdate[tuple[object, ...]]:
    """The same for SQL Server: a hinted CTE updated in place. Compiled and compared, never executed here."""
    chosen = (
        select(jobs.c.id)
        .where(_QUEUED, _DUE)
        .order_by(*_BY_PRIORITY)
        .limit(literal_column(str(limit)))
        .with_hint(jobs, "WITH (ROWLOCK, READPAST, UPDLOCK)", "mssql")
        .cte("next_jobs")
    )
    return _taking(update(jobs).where(jobs.c.id.in_(select(chosen.c.id)))).returning(*CLAIMED)
