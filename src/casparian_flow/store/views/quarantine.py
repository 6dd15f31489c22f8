"""Rejections of all jobs, grouped by their cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from casparian_flow.store.tables import jobs, materializations, quarantine
from casparian_flow.store.views.files import OPEN_STATES

# The same bytes are read again for another sink, and what is rejected of them is still the same rows: those of a table
# are told by the last job that read the bytes.
_current = (
    select(
        quarantine,
        jobs.c.location_id,
        func.max(quarantine.c.job_id).over(partition_by=(jobs.c.source_hash, quarantine.c.table_name)).label("last"),
    )
    .select_from(quarantine.join(jobs, jobs.c.id == quarantine.c.job_id))
    .where(quarantine.c.is_current, quarantine.c.state.in_(OPEN_STATES))
    .subquery()
)
GROUPS = (
    select(
        _current.c.table_name.label("table"),
        _current.c.code,
        _current.c.column_name.label("column"),
        _current.c.shape,
        func.sum(_current.c.rows).label("rows"),
        func.count(func.distinct(_current.c.location_id)).label("files"),
        func.min(_current.c.message).label("message"),
        func.min(_current.c.sample).label("sample"),
        func.max(_current.c.job_id).label("job"),
    )
    .where(_current.c.job_id == _current.c.last)
    .group_by(_current.c.table_name, _current.c.code, _current.c.column_name, _current.c.shape)
    .order_by(func.sum(_current.c.rows).desc(), _current.c.table_name, _current.c.code, _current.c.column_name)
)
OPEN = select(func.coalesce(func.sum(_current.c.rows), 0), func.count(func.distinct(_current.c.location_id))).where(
    _current.c.job_id == _current.c.last
)

_by_job = (
    select(
        func.min(materializations.c.sink_uri).label("sink"),
        materializations.c.job_id,
        func.max(materializations.c.job_id).over(partition_by=materializations.c.source_hash).label("last"),
    )
    .where(
        materializations.c.is_current,
        materializations.c.quarantined > 0,
        materializations.c.table_name == bindparam("table"),
    )
    .group_by(materializations.c.job_id, materializations.c.source_hash)
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
        statement = statement.where(_current.c.table_name == table)
    if code is not None:
        statement = statement.where(_current.c.code == code)
    return connection.execute(statement).mappings().all()


def count_open(connection: Connection) -> tuple[int, int]:
    """Rows that wait in quarantine, each once however many sinks it lies in, and the files that they come from."""
    rows, files = connection.execute(OPEN).one()
    return int(rows), int(files)


def jobs_by_sink(connection: Connection, table: str) -> dict[str, list[int]]:
    """Where to read a table's quarantined rows, each once: for each sink, the jobs whose rows are to be read there."""
    found: dict[str, list[int]] = defaultdict(list)
    for sink, job in connection.execute(JOBS_BY_SINK, {"table": table}):
        found[sink].append(job)
    return found
