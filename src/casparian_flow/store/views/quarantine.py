"""Rejections of all jobs, grouped by their cause."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from casparian_flow.store.tables import jobs, quarantine
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

SINKS = (
    select(jobs.c.sink_uri)
    .join(quarantine, quarantine.c.job_id == jobs.c.id)
    .where(quarantine.c.is_current, quarantine.c.table_name == bindparam("table"))
    .distinct()
    .order_by(jobs.c.sink_uri)
)


def list_groups(connection: Connection, *, table: str | None, code: str | None) -> Sequence[RowMapping]:
    """The causes that keep rows in quarantine now, the largest first."""
    statement = GROUPS
    if table is not None:
        statement = statement.where(quarantine.c.table_name == table)
    if code is not None:
        statement = statement.where(quarantine.c.code == code)
    return connection.execute(statement).mappings().all()


def sinks_of(connection: Connection, table: str) -> list[str]:
    """The sinks that hold quarantined rows of a table."""
    return list(connection.execute(SINKS, {"table": table}).scalars())
