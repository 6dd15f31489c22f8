"""What a person wants changed about jobs: each statement names the state that it expects."""

from __future__ import annotations

from sqlalchemy import Connection, and_, bindparam, literal_column, or_, select, update

from casparian_flow.core.jobs import REPLAYABLE, JobState
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import jobs, locations, parsers, runs, versions

HURRY = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.state == literal_column("'queued'"))
    .where(jobs.c.not_before_ns > bindparam("now_ns"))
    .values(not_before_ns=0)
)
WITH_WORLD = (
    select(
        jobs,
        locations.c.display.label("path"),
        locations.c.current_version_id,
        locations.c.is_missing,
        # A file that was written a moment ago is dirty too, with the signs that it had when it was hashed.
        and_(
            locations.c.is_dirty,
            or_(locations.c.size != versions.c.size, locations.c.mtime_ns != versions.c.mtime_ns),
        ).label("is_changed"),
        parsers.c.name.label("parser_name"),
        parsers.c.artifact_hash,
        parsers.c.path.label("parser_path"),
        parsers.c.paused_at_ns,
        runs.c.policy,
    )
    .select_from(
        jobs.join(locations, locations.c.id == jobs.c.location_id)
        .join(versions, versions.c.id == jobs.c.version_id)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
        .outerjoin(runs, runs.c.plan_id == jobs.c.plan_id)
    )
    .where(jobs.c.id == bindparam("job"))
)
SAME_SINCE = (
    select(jobs.c.id, jobs.c.state)
    .where(
        jobs.c.source_hash == bindparam("hash"),
        jobs.c.parser_id == bindparam("parser"),
        jobs.c.config_hash == bindparam("config"),
        jobs.c.routes == bindparam("to"),
        jobs.c.id > bindparam("job"),
        jobs.c.state.not_in(REPLAYABLE),
    )
    .order_by(jobs.c.id)
    .limit(1)
)


def hurry(connection: Connection, job: int, now_ns: int) -> bool:
    """Let a queued job that pauses after a failure be taken at once; false unless it pauses."""
    return connection.execute(HURRY, {"job": job, "now_ns": now_ns}).rowcount == 1


def with_world(connection: Connection, job: int) -> AnyRow:
    """A job with what decides whether the same can be done again: its file, its parser and its run's policy."""
    return connection.execute(WITH_WORLD, {"job": job}).one()


def same_since(connection: Connection, job: AnyRow) -> AnyRow | None:
    """A later job for the same bytes, parser, options and sinks that is open or landed."""
    return connection.execute(
        SAME_SINCE,
        {
            "hash": job.source_hash,
            "parser": job.parser_id,
            "config": job.config_hash,
            "to": job.routes,
            "job": job.id,
        },
    ).first()


def again(job: AnyRow, number: int, plan: int, reason: str, now_ns: int) -> dict[str, object]:
    """The row for `store.jobs.enqueue` of a new job that does what this one was to do."""
    return {
        "id": number,
        "plan_id": plan,
        "location_id": job.location_id,
        "version_id": job.version_id,
        "source_hash": job.source_hash,
        "parser_id": job.parser_id,
        "reason": reason,
        "config": job.config,
        "config_hash": job.config_hash,
        "routes": job.routes,
        "base_table": job.base_table,
        "state": JobState.QUEUED,
        "attempt": 0,
        "priority": job.priority,
        "queued_at_ns": now_ns,
    }
