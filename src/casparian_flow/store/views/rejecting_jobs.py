"""The jobs that brought a table its rejected rows: what read them, and under which contract."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import jobs, materializations

REJECTING = (
    select(materializations.c.job_id, materializations.c.contract_version, jobs.c.parser_id, jobs.c.base_table)
    .join(jobs, jobs.c.id == materializations.c.job_id)
    .where(materializations.c.table_name == bindparam("table"), materializations.c.quarantined > 0)
    .distinct()
)


def rejecting_jobs(connection: Connection, table: str) -> Sequence[AnyRow]:
    """All of them, superseded ones as well."""
    return connection.execute(REJECTING, {"table": table}).all()
