"""Rejections of all jobs, grouped by their cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, select

from casparian_flow.core.quarantine import OPEN_STATES, EntryState
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import causes, jobs, materializations, parsers, quarantine

# The same bytes are read again for another sink or by another version of a parser, and what is rejected of them is
# still the same rows: those of a table are told by the last job in which that parser read the bytes. Hardly any bytes
# are read twice, so that those which were are found first, in the index, and nothing is asked about the others.
_is_open = quarantine.c.is_current & quarantine.c.state.in_(OPEN_STATES)
_read_again = select(jobs.c.source_hash).group_by(jobs.c.source_hash).having(func.count() > 1).subquery()
_tellers = (
    select(
        quarantine.c.id,
        quarantine.c.job_id,
        func.max(quarantine.c.job_id)
        .over(partition_by=(jobs.c.source_hash, parsers.c.name, quarantine.c.table_name))
        .label("last"),
    )
    .select_from(
        _read_again.join(jobs, jobs.c.source_hash == _read_again.c.source_hash)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
        .join(quarantine, quarantine.c.job_id == jobs.c.id)
    )
    .where(_is_open)
    .subquery()
)
_told_later = select(_tellers.c.id).where(_tellers.c.job_id < _tellers.c.last)
_counts = _is_open & quarantine.c.id.not_in(_told_later)
_with_jobs = quarantine.join(jobs, jobs.c.id == quarantine.c.job_id)
_cause = (
    quarantine.c.reference,
    quarantine.c.table_name,
    quarantine.c.code,
    quarantine.c.column_name,
    quarantine.c.shape,
)
# A job that reads the same bytes again meets the same rows again: it says when they were seen last, too.
_seen_at = func.coalesce(jobs.c.finished_at_ns, jobs.c.queued_at_ns)
_seen = (
    select(*_cause, func.min(_seen_at).label("first_seen_ns"), func.max(_seen_at).label("last_seen_ns"))
    .select_from(_with_jobs)
    .group_by(*_cause)
    .subquery()
)
_is_same = and_(*(_seen.c[column.name] == column for column in _cause))
_known = (causes.c.reference == quarantine.c.reference) & (causes.c.table_name == quarantine.c.table_name)
GROUPS = (
    select(
        quarantine.c.reference.label("group"),
        quarantine.c.table_name.label("table"),
        quarantine.c.code,
        quarantine.c.column_name.label("column"),
        quarantine.c.shape,
        func.sum(quarantine.c.rows).label("rows"),
        func.count(func.distinct(jobs.c.location_id)).label("files"),
        func.min(quarantine.c.message).label("message"),
        func.min(quarantine.c.sample).label("sample"),
        func.max(quarantine.c.job_id).label("job"),
        func.max(parsers.c.id).label("parser_id"),
        func.group_concat(func.distinct(quarantine.c.state)).label("states"),
        func.min(_seen.c.first_seen_ns).label("first_seen_ns"),
        func.max(_seen.c.last_seen_ns).label("last_seen_ns"),
        func.max(causes.c.owner).label("owner"),
        func.max(causes.c.note).label("note"),
        func.max(quarantine.c.purged_by).label("purged_by"),
    )
    .select_from(
        _with_jobs.join(parsers, parsers.c.id == jobs.c.parser_id).join(_seen, _is_same).outerjoin(causes, _known)
    )
    .group_by(*_cause)
    .order_by(
        func.sum(quarantine.c.rows).desc(),
        quarantine.c.table_name,
        quarantine.c.code,
        quarantine.c.column_name,
        quarantine.c.reference,
    )
)
_rows = func.coalesce(func.sum(quarantine.c.rows), 0)
_OVER = (EntryState.REPLAYED, EntryState.PURGED)
"""Whose rows are not in quarantine any more."""
OPEN_ROWS = select(_rows).where(_counts)
OPEN = select(_rows, func.count(func.distinct(jobs.c.location_id))).select_from(_with_jobs).where(_counts)
WAIVED_ROWS = select(_rows).where(quarantine.c.is_current, quarantine.c.state == EntryState.WAIVED)

_of_cause = select(quarantine.c.job_id).where(
    quarantine.c.reference == bindparam("group"),
    quarantine.c.table_name == bindparam("table"),
    quarantine.c.is_current,
)
_by_job = (
    select(
        func.min(materializations.c.sink_uri).label("sink"),
        materializations.c.job_id,
        func.max(materializations.c.job_id)
        .over(partition_by=(materializations.c.source_hash, materializations.c.parser_name))
        .label("last"),
    )
    .where(
        materializations.c.is_current,
        materializations.c.quarantined > 0,
        materializations.c.table_name == bindparam("table"),
    )
    .group_by(materializations.c.job_id, materializations.c.source_hash, materializations.c.parser_name)
    .subquery()
)
JOBS_BY_SINK = (
    select(_by_job.c.sink, _by_job.c.job_id)
    .where(_by_job.c.job_id == _by_job.c.last, _by_job.c.job_id.in_(_of_cause))
    .order_by(_by_job.c.sink, _by_job.c.job_id)
)
READ_WITH = (
    select(jobs.c.config, jobs.c.base_table, parsers.c.name.label("parser"))
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.id.in_(_of_cause))
    .group_by(jobs.c.config, jobs.c.base_table, parsers.c.name)
    .order_by(func.min(jobs.c.id))
)
READ_BY = select(jobs.c.parser_id, jobs.c.base_table).where(jobs.c.id.in_(_of_cause)).distinct()


def list_groups(
    connection: Connection,
    *,
    table: str | None = None,
    code: str | None = None,
    states: Collection[EntryState] = OPEN_STATES,
    owner: str | None = None,
) -> Sequence[RowMapping]:
    """The causes with entries in one of these states, the largest first: those that keep rows in quarantine now."""
    statement = GROUPS.where(quarantine.c.state.in_(states))
    if set(states) <= set(OPEN_STATES):
        statement = statement.where(_counts)
    else:
        statement = statement.where(quarantine.c.is_current | quarantine.c.state.in_(_OVER))
    given = {quarantine.c.table_name: table, quarantine.c.code: code, causes.c.owner: owner}
    for column, value in given.items():
        if value is not None:
            statement = statement.where(column == value)
    return connection.execute(statement).mappings().all()


def open_rows(connection: Connection) -> int:
    """Rows that wait in quarantine, each once however many sinks it lies in."""
    return int(connection.execute(OPEN_ROWS).scalar_one())


def count_open(connection: Connection) -> tuple[int, int]:
    """The rows as `open_rows` counts them, and the files that they come from."""
    rows, files = connection.execute(OPEN).one()
    return int(rows), int(files)


def count_waived(connection: Connection) -> int:
    """Rows that are in quarantine and that somebody gave up."""
    return int(connection.execute(WAIVED_ROWS).scalar_one())


def jobs_by_sink(connection: Connection, table: str, group: str) -> dict[str, list[int]]:
    """Where to read a group's rows, each once: for each sink, the jobs whose quarantine is to be read there."""
    found: dict[str, list[int]] = defaultdict(list)
    for sink, job in connection.execute(JOBS_BY_SINK, {"table": table, "group": group}):
        found[sink].append(job)
    return found


def read_with(connection: Connection, table: str, group: str) -> Sequence[AnyRow]:
    """The options under which jobs brought a group's rows, each with its parser and the base table, oldest first."""
    return connection.execute(READ_WITH, {"table": table, "group": group}).all()


def read_by(connection: Connection, table: str, group: str) -> dict[int, set[str]]:
    """The parsers whose jobs brought a group's rows, with the base tables of their files."""
    found: dict[int, set[str]] = defaultdict(set)
    for parser, base_table in connection.execute(READ_BY, {"table": table, "group": group}):
        found[parser].add(base_table)
    return found
