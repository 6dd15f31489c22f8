"""Jobs with the file, the parser and what they brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, String, and_, bindparam, cast, exists, func, or_, select, tuple_

from casparian_flow.core.errors import SourceChanged
from casparian_flow.core.jobs import FINAL_STATES, GAVE_UP, WORKER_STREAM, JobState
from casparian_flow.store.jobs import CARRIED
from casparian_flow.store.tables import (
    job_logs,
    jobs,
    locations,
    materializations,
    parsers,
    quarantine,
    sources,
    tags,
    verdicts,
    versions,
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
        parsers.c.failures.label("parser_failures"),
        parsers.c.paused_at_ns.label("parser_paused_at_ns"),
        versions.c.size,
        CARRIED.label("carried"),
        _of_job.scalar_subquery().label("accepted"),
        _of_job.with_only_columns(func.coalesce(func.sum(materializations.c.quarantined), 0))
        .scalar_subquery()
        .label("quarantined"),
        _of_job.with_only_columns(func.coalesce(func.sum(materializations.c.purged), 0))
        .scalar_subquery()
        .label("purged"),
    )
    .select_from(
        jobs.join(locations, locations.c.id == jobs.c.location_id)
        .join(sources, sources.c.id == locations.c.source_id)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
        .join(versions, versions.c.id == jobs.c.version_id)
    )
    .order_by(jobs.c.id.desc())
)
NEWEST = select(jobs.c.id).order_by(jobs.c.id.desc()).limit(1).offset(bindparam("skip"))
WITH_PREFIX = (
    select(jobs.c.id).where(cast(jobs.c.id, String).startswith(bindparam("prefix"))).order_by(jobs.c.id).limit(5)
)
LOGS = select(job_logs).where(job_logs.c.job_id == bindparam("job")).limit(bindparam("most"))
LAST_LINES = LOGS.order_by(job_logs.c.attempt.desc(), job_logs.c.line.desc())
LINES_AFTER = LOGS.where(
    tuple_(job_logs.c.attempt, job_logs.c.line) > tuple_(bindparam("of_attempt"), bindparam("after_line"))
).order_by(job_logs.c.attempt, job_logs.c.line)
_IS_OF = {True: job_logs.c.stream == WORKER_STREAM, False: job_logs.c.stream != WORKER_STREAM}
_newer = jobs.alias("newer")
OPEN_STATES = [state for state in JobState if state not in FINAL_STATES]
OLDEST_OPEN = select(func.min(jobs.c.id)).where(jobs.c.state.in_(OPEN_STATES))
PROGRESS = (
    select(
        jobs.c.state,
        func.count().label("jobs"),
        func.sum(jobs.c.rows_read).label("rows_read"),
        func.sum(jobs.c.bytes_read).label("bytes_read"),
    )
    .where(jobs.c.id.between(bindparam("oldest"), bindparam("newest")))
    .group_by(jobs.c.state)
)
IS_DEAD_LETTER = and_(
    jobs.c.state == JobState.FAILED,
    # What passes was tried again until there were enough; only a file that changed is not, being another version.
    or_(jobs.c.error_code == GAVE_UP, and_(jobs.c.is_transient, jobs.c.error_code != SourceChanged.code)),
    # The same bytes were not tried again since.
    ~exists().where(_newer.c.source_hash == jobs.c.source_hash, _newer.c.id > jobs.c.id),
)
DEAD_LETTERS = select(func.count()).select_from(jobs).where(IS_DEAD_LETTER)
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
    tag: str | None = None
    is_dead_letter: bool = False
    oldest: int | None = None


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
    if where.tag is not None:
        statement = statement.where(jobs.c.location_id.in_(select(tags.c.location_id).where(tags.c.tag == where.tag)))
    if where.is_dead_letter:
        statement = statement.where(IS_DEAD_LETTER)
    if where.oldest is not None:
        statement = statement.where(jobs.c.id >= where.oldest)
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


def last_lines(connection: Connection, job: int, stream: str | None, most: int) -> list[RowMapping]:
    """The last lines of a job, oldest of them first: of its `guest`, about it of its `worker`, or None for both."""
    found = connection.execute(_of_stream(LAST_LINES, stream), {"job": job, "most": most})
    return list(reversed(found.mappings().all()))


def lines_after(
    connection: Connection, job: int, stream: str | None, after: tuple[int, int], most: int
) -> Sequence[RowMapping]:
    """The first lines that stand behind line `after[1]` of attempt `after[0]`, in later attempts too."""
    values = {"job": job, "of_attempt": after[0], "after_line": after[1], "most": most}
    return connection.execute(_of_stream(LINES_AFTER, stream), values).mappings().all()


def _of_stream(statement: Select[Any], stream: str | None) -> Select[Any]:
    return statement if stream is None else statement.where(_IS_OF[stream == WORKER_STREAM])


def oldest_open(connection: Connection) -> int | None:
    """The oldest job that is not over."""
    found: int | None = connection.execute(OLDEST_OPEN).scalar()
    return found


def progress(connection: Connection, oldest: int, newest: int) -> Sequence[RowMapping]:
    """Of the jobs between these two, by state: how many they are, and how many rows and bytes they read."""
    return connection.execute(PROGRESS, {"oldest": oldest, "newest": newest}).mappings().all()


def count_dead_letters(connection: Connection) -> int:
    """Jobs that were given up after their last retry, and whose bytes were not tried again since."""
    return int(connection.execute(DEAD_LETTERS).scalar_one())


def outputs_of(connection: Connection, job: int) -> Sequence[RowMapping]:
    """The tables that the job brought rows to, in every sink."""
    return connection.execute(OUTPUTS, {"job": job}).mappings().all()


def groups_of(connection: Connection, job: int) -> Sequence[RowMapping]:
    """The job's rejections by cause, the largest hundred."""
    return connection.execute(GROUPS, {"job": job}).mappings().all()


def verdicts_of(connection: Connection, job: int) -> Sequence[RowMapping]:
    """What the parser detected about the file."""
    return connection.execute(VERDICTS, {"job": job}).mappings().all()
