"""What a job was read with and what of it is current: whether another reading may take over its rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import jobs, materializations, parsers

OLDER = (
    select(
        jobs.c.source_hash,
        jobs.c.config_hash,
        jobs.c.base_table,
        jobs.c.receipt,
        jobs.c.repairs,
        jobs.c.started_at_ns,
        parsers.c.artifact_hash,
        parsers.c.env_hash,
    )
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.id == bindparam("job"))
)
SHOWN = select(
    materializations.c.sink_uri,
    materializations.c.table_name,
    materializations.c.contract_version,
    materializations.c.accepted,
    materializations.c.quarantined,
).where(materializations.c.job_id == bindparam("job"), materializations.c.is_current.is_(True))


def job_as_read(connection: Connection, job: int) -> AnyRow | None:
    """The bytes, options, parser, repairs and receipt of a job; None if there is none of that id."""
    return connection.execute(OLDER, {"job": job}).first()


def current_rows(connection: Connection, job: int) -> Sequence[AnyRow]:
    """By table and sink how many rows of a job are current, and under which version of the contract."""
    return connection.execute(SHOWN, {"job": job}).all()
