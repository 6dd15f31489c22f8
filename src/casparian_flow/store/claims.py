"""Claiming queued jobs: one atomic statement on every database, side by side.

Each sets `dispatched`, raises the attempt and returns what was claimed; of two racing claimers exactly one gets a job.
The SQLite form runs today; the others compile to golden SQL and run with the scale work.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ColumnClause,
    ColumnElement,
    Integer,
    Select,
    Update,
    bindparam,
    literal_column,
    select,
    update,
)
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
    jobs.c.carries,
)

_SIZE: ColumnClause[int] = literal_column(
    "(SELECT size FROM scout_versions v WHERE v.id = cf_jobs.version_id)", BigInteger
)
"""Of the file; in words, because Core takes the names of tables away from what is returned."""
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


def _next(limit: int | None, *conditions: object, oldest_first: bool = False) -> Select[tuple[int]]:
    """The ids of jobs that are due; without a `limit` as many as a parameter of that name says."""
    order = (jobs.c.id,) if oldest_first else _BY_PRIORITY
    most: ColumnElement[int] = bindparam("limit", type_=Integer) if limit is None else literal_column(str(limit))
    return select(jobs.c.id).where(_QUEUED, _DUE, *conditions).order_by(*order).limit(most)  # type: ignore[arg-type]


def claim_on_sqlite(
    limit: int = 1,
    *,
    oldest_first: bool = False,
    of_parsers: bool = False,
    of_sources: bool = False,
    without_bases: bool = False,
) -> ReturningUpdate[tuple[object, ...]]:
    """The next jobs by priority, or the oldest ones so that nothing starves.

    With `of_parsers` and `of_sources` only jobs of the parsers and the sources whose ids are given, and with
    `without_bases` none whose file asks for one of these tables.
    """
    conditions = []
    if of_parsers:
        conditions.append(jobs.c.parser_id.in_(bindparam("parsers", expanding=True)))
    if of_sources:
        its = select(locations.c.id).where(locations.c.source_id.in_(bindparam("sources", expanding=True)))
        conditions.append(jobs.c.location_id.in_(its))
    if without_bases:
        conditions.append(jobs.c.base_table.not_in(bindparam("bases", expanding=True)))
    chosen = _next(limit, *conditions, oldest_first=oldest_first).scalar_subquery()
    return _taking(update(jobs).where(_QUEUED, jobs.c.id.in_(chosen))).returning(*CLAIMED, _SIZE.label("size"))


def claim_alike_on_sqlite(
    *, of_sources: bool = False, without_bases: bool = False
) -> ReturningUpdate[tuple[object, ...]]:
    """More jobs of small files that can share a process with one already claimed; one plan has one set of routes.

    At most as many as the parameter `limit` says. None that has failed before: what is alone stands in nobody's way.
    """
    its = select(locations.c.id).where(locations.c.source_id.in_(bindparam("sources", expanding=True)))
    chosen = _next(
        None,
        jobs.c.parser_id == bindparam("same_parser"),
        jobs.c.config_hash == bindparam("same_config"),
        jobs.c.plan_id == bindparam("same_plan"),
        jobs.c.failures == 0,
        bindparam("largest") >= _SIZE,
        *([jobs.c.location_id.in_(its)] if of_sources else []),
        *([jobs.c.base_table.not_in(bindparam("bases", expanding=True))] if without_bases else []),
    ).scalar_subquery()
    return _taking(update(jobs).where(_QUEUED, jobs.c.id.in_(chosen))).returning(*CLAIMED, _SIZE.label("size"))


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
