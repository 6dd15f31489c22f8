"""Jobs with the file, the parser and what they brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, String, bindparam, cast, func, select

from casparian_flow.core.jobs import JobState
from casparian_flow.store.tables import (
    job_logs,
    jobs,
    locations,
    materializations,
    parsers,
    quarantine,
    sources,
    verdicts,
)
from casparian_flow.store.views.places import FOLDER

_others = materializations.alias("others")
_of_job = (
    select(func.coalesce(func.sum(materializations.c.accepted), 0))
    .where(materializations.c.job_id == jobs.c.id)
    # The rows of a table are the same in each of its sinks, and are counted once.
    .where(
        materializations.c.sink_uri
        == select(func.min(_others.c.sink_uri))
        .where(_others.c.job_id == materializations.c.job_id, _others.c.table_name == materializations.c.table_name)
        .scalar_subquery()
    )
)
JOBS = (
    select(
        jobs,
        locations.c.display.label("path"),
        FOLDER.label("source"),
        parsers.c.name.label("parser_name"),
        parsers.c.version.label("parser_version"),
        _of_job.scalar_subquery().label("accepted"),
        _of_job.with_only_columns(func.coalesce(func.sum(materializations.c.quarantined), 0))
        .scalar_subquery()
        .label("quarantined"),
    )
    .select_from(
        jobs.join(locations, locations.c.id == jobs.c.location_id)
        .join(sources, sources.c.id == locations.c.source_id)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
    )
    .order_by(jobs.c.id.desc())
)
NEWEST = select(jobs.c.id).order_by(jobs.c.id.desc()).limit(1).offset(bindparam("skip"))
WITH_PREFIX = (
    select(jobs.c.id).where(cast(jobs.c.id, String).startswith(bindparam("prefix"))).order_by(jobs.c.id).limit(5)
)
LOGS = (
    select(job_logs)
    .where(job_logs.c.job_id == bindparam("job"))
    .order_by(job_logs.c.attempt.desc(), job_logs.c.line.desc())
    .limit(bindparam("most"))
)
OUTPUTS = (
    select(materializations)
    .where(materializations.c.job_id == bindparam("job"))
    .order_by(materializations.c.table_name, materializations.c.sink_uri)
)
GROUPS = select(quarantine).where(quarantine.c.job_id == bindparam("job")).order_by(quarantine.c.rows.desc()).limit(100)
VERDICTS = select(verdicts).where(verdicts.c.job_id == bindparam("job")).order_by(verdicts.c.ordinal)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are meant; what is not given does not restrict."""

    states: tuple[JobState, ...] = ()
    parser: str | None = None
    location: int | None = None
    since_ns: int | None = None


def list_jobs(connection: Connection, where: JobFilter, *, before: int | None, limit: int) -> Sequence[RowMapping]:
    """At most so many jobs, newest first, older than the one given."""
    statement = JOBS.limit(limit)
    if where.states:
        statement = statement.where(jobs.c.state.in_(where.states))
    if where.parser is not None:
        statement = statement.where(parsers.c.name == where.parser)
    if where.location is not None:
        statement = statement.where(jobs.c.location_id == where.location)
    if where.since_ns is not None:
        statement = statement.where(jobs.c.queued_at_ns >= where.since_ns)
    if before is not None:
        statement = statement.where(jobs.c.id < before)
    return connection.execute(statement).mappings().all()


def find_job(connection: Connection, job: int) -> RowMapping | None:
    """One job."""
    return connection.execute(JOBS.where(jobs.c.id == job)).mappings().first()


def nth_newest(connection: Connection, skip: int) -> int | None:
    """The newest job, or the one so many before it."""
    found: int | None = connection.execute(NEWEST, {"skip": skip}).scalar()
    return found


def with_prefix(connection: Connection, prefix: str) -> list[int]:
    """The first few jobs whose id begins with these digits."""
    return list(connection.execute(WITH_PREFIX, {"prefix": prefix}).scalars())


def logs_of(connection: Connection, job: int, most: int) -> list[RowMapping]:
    """The last lines that the job's parser wrote, oldest of them first."""
    return list(reversed(connection.execute(LOGS, {"job": job, "most": most}).mappings().all()))


def outputs_of(connection: Connection, job: int) -> Sequence[RowMapping]:
    """The tables that the job brought rows to, in every sink."""
    return connection.execute(OUTPUTS, {"job": job}).mappings().all()


def groups_of(connection: Connection, job: int) -> Sequence[RowMapping]:
    """The job's rejections by cause, the largest hundred."""
    return connection.execute(GROUPS, {"job": job}).mappings().all()


def verdicts_of(connection: Connection, job: int) -> Sequence[RowMapping]:
    """What the parser detected about the file."""
    return connection.execute(VERDICTS, {"job": job}).mappings().all()
