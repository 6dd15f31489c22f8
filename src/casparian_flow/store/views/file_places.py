"""Where the bytes of file versions lie, and the roots of the sources that they lie in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import locations, sources, versions

PLACES = Prepared(
    select(
        versions.c.id,
        locations.c.size,
        locations.c.mtime_ns,
        sources.c.root,
        locations.c.rel_path,
    )
    .join(locations, locations.c.id == versions.c.location_id)
    .join(sources, sources.c.id == locations.c.source_id)
    .where(versions.c.id.in_(each_of("ids")))
)
ROOTS = select(sources.c.id, sources.c.root)


def places_of(connection: Connection, version_ids: Sequence[int]) -> dict[int, AnyRow]:
    """Where these file versions lie."""
    return {row.id: row for row in PLACES.rows(connection, ids=listed(version_ids))}


def roots(connection: Connection) -> Sequence[AnyRow]:
    """The root of every source, as bytes."""
    return connection.execute(ROOTS).all()
