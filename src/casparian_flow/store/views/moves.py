"""What is visible of some bytes, with the table that their files asked for when they were read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import jobs, materializations

SHOWN = Prepared(
    select(
        materializations.c.source_hash,
        materializations.c.parser_name,
        materializations.c.sink_uri,
        materializations.c.table_name,
        materializations.c.job_id,
        materializations.c.accepted,
        materializations.c.quarantined,
        jobs.c.base_table,
    )
    .select_from(materializations.join(jobs, jobs.c.id == materializations.c.job_id))
    .where(materializations.c.is_current.is_(True), materializations.c.source_hash.in_(each_of("hashes")))
    .order_by(materializations.c.id)
)


def shown_of(connection: Connection, hashes: Iterable[str]) -> Sequence[AnyRow]:
    """One row for each table and target that shows rows of these bytes."""
    return SHOWN.rows(connection, hashes=listed(list(hashes)))
