"""What one file location has been through: its tags, versions, jobs, and where else its bytes are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import jobs, locations, parsers, sources, tags, versions
from casparian_flow.store.views.places import FOLDER

ROOTS = select(sources.c.id, sources.c.root).order_by(sources.c.id)
TAGS_OF = select(tags.c.tag).where(tags.c.location_id == bindparam("location")).order_by(tags.c.tag)
VERSIONS_OF = (
    select(versions).where(versions.c.location_id == bindparam("location")).order_by(versions.c.id.desc()).limit(100)
)
PATHS_WITH = (
    select(FOLDER, locations.c.display)
    .select_from(
        versions.join(locations, locations.c.current_version_id == versions.c.id).join(
            sources, sources.c.id == locations.c.source_id
        )
    )
    .where(versions.c.source_hash == bindparam("hash"), locations.c.id != bindparam("location"))
    .where(locations.c.is_missing.is_(False))
    .order_by(locations.c.source_id, locations.c.rel_path)
    .limit(100)
)
JOBS_OF = (
    select(jobs, (parsers.c.name + "@" + parsers.c.version).label("parser"))
    .select_from(jobs.join(parsers, parsers.c.id == jobs.c.parser_id))
    .where(
        jobs.c.source_hash.in_(select(versions.c.source_hash).where(versions.c.location_id == bindparam("location")))
    )
    .order_by(jobs.c.id.desc())
    .limit(100)
)

CARRIERS = (
    select(sources.c.root, locations.c.rel_path, locations.c.display, locations.c.size, locations.c.mtime_ns)
    .distinct()
    .select_from(
        versions.join(locations, locations.c.id == versions.c.location_id).join(
            sources, sources.c.id == locations.c.source_id
        )
    )
    .where(versions.c.source_hash == bindparam("hash"))
    .order_by(locations.c.is_missing, (locations.c.current_version_id == versions.c.id).desc(), locations.c.id)
    .limit(8)
)
PATH_OF_VERSION = (
    select(locations.c.display)
    .join(versions, versions.c.location_id == locations.c.id)
    .where(versions.c.id == bindparam("version"))
)


def roots(connection: Connection) -> list[tuple[int, bytes]]:
    """Every source's id and root."""
    return [(source_id, bytes(root)) for source_id, root in connection.execute(ROOTS)]


def tags_of(connection: Connection, location: int) -> list[str]:
    """The tags that a location has."""
    return list(connection.execute(TAGS_OF, {"location": location}).scalars())


def versions_of(connection: Connection, location: int) -> Sequence[RowMapping]:
    """The newest hundred versions of a location, newest first."""
    return connection.execute(VERSIONS_OF, {"location": location}).mappings().all()


def paths_with(connection: Connection, source_hash: str | None, location: int) -> list[str]:
    """The other present locations that hold the same bytes now, a hundred at most."""
    found = connection.execute(PATHS_WITH, {"hash": source_hash, "location": location})
    return [f"{source}/{path}" for source, path in found]


def jobs_of(connection: Connection, location: int) -> Sequence[RowMapping]:
    """The newest hundred jobs that read bytes which this location holds or held, newest first."""
    return connection.execute(JOBS_OF, {"location": location}).mappings().all()


def carriers_of(connection: Connection, source_hash: str) -> Sequence[AnyRow]:
    """Places that hold these bytes or did, those first that are likeliest to hold them still; a few of them."""
    return connection.execute(CARRIERS, {"hash": source_hash}).all()


def path_of_version(connection: Connection, version: int) -> str:
    """The path, inside its source, at which a version was read; empty when it is unknown."""
    return connection.execute(PATH_OF_VERSION, {"version": version}).scalar() or ""
