"""Rejections of all jobs, grouped by their cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from casparian_flow.store.tables import jobs, materializations, quarantine
from casparian_flow.store.views.files import OPEN_STATES

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
    .select_from(quarantine.join(jobs, jobs.c.id == quarantine.c.job_id))
    .where(quarantine.c.is_current, quarantine.c.state.in_(OPEN_STATES))
    .group_by(quarantine.c.table_name, quarantine.c.code, quarantine.c.column_name, quarantine.c.shape)
    .order_by(func.sum(quarantine.c.rows).desc(), quarantine.c.table_name, quarantine.c.code, quarantine.c.column_name)
)

JOBS_BY_SINK = (
    select(func.min(materializations.c.sink_uri).label("sink"), materializations.c.job_id)
    .where(
        materializations.c.is_current,
        materializations.c.quarantined > 0,
        materializations.c.table_name == bindparam("table"),
    )
    .group_by(materializations.c.job_id)
    .order_by(func.min(materializations.c.sink_uri), materializations.c.job_id)
)


def list_groups(connection: Connection, *, table: str | None, code: str | None) -> Sequence[RowMapping]:
    """The causes that keep rows in quarantine now, the largest first."""
    statement = GROUPS
    if table is not None:
        statement = statement.where(quarantine.c.table_name == table)
    if code is not None:
        statement = statement.where(quarantine.c.code == code)
    return connection.execute(statement).mappings().all()


def jobs_by_sink(connection: Connection, table: str) -> dict[str, list[int]]:
    """Where to read a table's quarantined rows, each once: for each sink, the jobs whose rows are to be read there."""
    found: dict[str, list[int]] = defaultdict(list)
    for sink, job in connection.execute(JOBS_BY_SINK, {"table": table}):
        found[sink].append(job)
    return found
