"""Rejections of all jobs, grouped by their cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from casparian_flow.store.tables import jobs, materializations, parsers, quarantine
from casparian_flow.store.views.files import OPEN_STATES

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
GROUPS = (
    select(
        quarantine.c.table_name.label("table"),
        quarantine.c.code,
        quarantine.c.column_name.label("column"),
        quarantine.c.shape,
        func.sum(quarantine.c.rows).label("rows"),
        func.count(func.distinct(jobs.c.location_id)).label("files"),
        func.min(quarantine.c.message).label("message"),
        func.min(quarantine.c.sample).label("sample"),
        func.max(quarantine.c.job_id).label("job"),
    )
    .select_from(_with_jobs)
    .where(_counts)
    .group_by(quarantine.c.table_name, quarantine.c.code, quarantine.c.column_name, quarantine.c.shape)
    .order_by(func.sum(quarantine.c.rows).desc(), quarantine.c.table_name, quarantine.c.code, quarantine.c.column_name)
)
_rows = func.coalesce(func.sum(quarantine.c.rows), 0)
OPEN_ROWS = select(_rows).where(_counts)
OPEN = select(_rows, func.count(func.distinct(jobs.c.location_id))).select_from(_with_jobs).where(_counts)

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
    .where(_by_job.c.job_id == _by_job.c.last)
    .order_by(_by_job.c.sink, _by_job.c.job_id)
)


def list_groups(connection: Connection, *, table: str | None, code: str | None) -> Sequence[RowMapping]:
    """The causes that keep rows in quarantine now, the largest first."""
    statement = GROUPS
    if table is not None:
        statement = statement.where(quarantine.c.table_name == table)
    if code is not None:
        statement = statement.where(quarantine.c.code == code)
    return connection.execute(statement).mappings().all()


def open_rows(connection: Connection) -> int:
    """Rows that wait in quarantine, each once however many sinks it lies in."""
    return int(connection.execute(OPEN_ROWS).scalar_one())


def count_open(connection: Connection) -> tuple[int, int]:
    """The rows as `open_rows` counts them, and the files that they come from."""
    rows, files = connection.execute(OPEN).one()
    return int(rows), int(files)


def jobs_by_sink(connection: Connection, table: str) -> dict[str, list[int]]:
    """Where to read a table's quarantined rows, each once: for each sink, the jobs whose rows are to be read there."""
    found: dict[str, list[int]] = defaultdict(list)
    for sink, job in connection.execute(JOBS_BY_SINK, {"table": table}):
        found[sink].append(job)
    return found
