"""What is visible of some bytes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from casparian_flow.store.tables import materializations

CURRENT_OF_HASH = (
    select(materializations)
    .where(
        materializations.c.source_hash == bindparam("hash"),
        materializations.c.is_current,
        materializations.c.table_name != "",
    )
    .order_by(materializations.c.table_name, materializations.c.sink_uri)
)


def current_of_hash(connection: Connection, source_hash: str) -> Sequence[RowMapping]:
    """Each table that shows rows of these bytes now, in every sink."""
    return connection.execute(CURRENT_OF_HASH, {"hash": source_hash}).mappings().all()
