"""What jobs read, and whether those bytes are still there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, or_, select

from casparian_flow.store.tables import jobs, locations, sources, versions

IS_RETAINED = and_(
    locations.c.current_version_id == versions.c.id,
    locations.c.is_missing.is_(False),
    or_(
        locations.c.is_dirty.is_(False),  # one that was hashed while it was young is looked at again each time
        and_(locations.c.size == versions.c.size, locations.c.mtime_ns == versions.c.mtime_ns),
    ),
)
"""Whether, as far as the last scan saw, a location still carries the bytes of this version of it."""
OF_JOBS = (
    select(
        jobs.c.id.label("job"),
        jobs.c.parser_id,
        jobs.c.config,
        jobs.c.base_table,
        versions.c.id.label("version"),
        versions.c.source_hash,
        sources.c.root,
        locations.c.rel_path,
        locations.c.display,
        locations.c.size,
        locations.c.mtime_ns,
        IS_RETAINED.label("is_retained"),
    )
    .join(versions, versions.c.id == jobs.c.version_id)
    .join(locations, locations.c.id == versions.c.location_id)
    .join(sources, sources.c.id == locations.c.source_id)
    .where(jobs.c.id.in_(select(func.json_each(bindparam("jobs")).table_valued("value").c.value)))
    .order_by(jobs.c.id)
)


def of_jobs(connection: Connection, numbers: Collection[int]) -> Sequence[RowMapping]:
    """Of each of these jobs what it read, with which parser and options, and where that lies."""
    asked = "[" + ",".join(map(str, sorted(numbers))) + "]"
    return connection.execute(OF_JOBS, {"jobs": asked}).mappings().all()
