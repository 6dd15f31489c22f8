"""What is visible of bytes that files hold or held, with the table that they asked for when they were read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.outputs import is_carried
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import jobs, materializations, versions

_SHOWN = (
    materializations.c.source_hash,
    materializations.c.parser_name,
    materializations.c.sink_uri,
    materializations.c.table_name,
    materializations.c.job_id,
    materializations.c.accepted,
    materializations.c.quarantined,
    jobs.c.base_table,
)
SHOWN = Prepared(
    select(*_SHOWN)
    .select_from(materializations.join(jobs, jobs.c.id == materializations.c.job_id))
    .where(materializations.c.is_current.is_(True), materializations.c.source_hash.in_(each_of("hashes")))
    .order_by(materializations.c.id)
)
# What `store.outputs.superseded_by` takes out once newer bytes of these files have landed.
SHOWN_BEFORE = Prepared(
    select(versions.c.location_id, *_SHOWN)
    .distinct()
    .select_from(
        materializations.join(jobs, jobs.c.id == materializations.c.job_id).join(
            versions, versions.c.source_hash == materializations.c.source_hash
        )
    )
    .where(materializations.c.is_current.is_(True), versions.c.location_id.in_(each_of("locations")), ~is_carried)
    .order_by(materializations.c.job_id)
)


def shown_of(connection: Connection, hashes: Iterable[str]) -> Sequence[AnyRow]:
    """One row for each table and target that shows rows of these bytes."""
    return SHOWN.rows(connection, hashes=listed(list(hashes)))


def shown_before(connection: Connection, locations: Iterable[int]) -> Sequence[AnyRow]:
    """The same of the bytes that these locations held once and that no location carries any more, by location."""
    return SHOWN_BEFORE.rows(connection, locations=listed(list(locations)))
