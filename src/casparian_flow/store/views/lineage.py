"""What connects rows, jobs, parsers, contracts, bytes and paths."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from casparian_flow.store.tables import (
    contracts,
    hashes,
    jobs,
    locations,
    materializations,
    parsers,
    sources,
    versions,
)
from casparian_flow.store.views.places import FOLDER

MOST = 100
"""Things of one kind that a trace holds."""

HASHES_WITH_PREFIX = (
    select(hashes.c.source_hash)
    .where(hashes.c.source_hash >= bindparam("first"), hashes.c.source_hash < bindparam("after"))
    .order_by(hashes.c.source_hash)
    .limit(5)
)
VERSION = select(versions).where(versions.c.id == bindparam("version"))
VERSIONS_OF = (
    select(versions).where(versions.c.location_id == bindparam("location")).order_by(versions.c.id).limit(MOST)
)
PARSER = select(parsers).where(parsers.c.id == bindparam("parser"))
PLACES = (
    select(
        locations.c.id,
        FOLDER.label("source"),
        locations.c.display.label("path"),
        locations.c.is_missing,
        (locations.c.current_version_id == versions.c.id).label("is_current"),
    )
    .select_from(
        versions.join(locations, locations.c.id == versions.c.location_id).join(
            sources, sources.c.id == locations.c.source_id
        )
    )
    .where(versions.c.source_hash == bindparam("hash"))
    .order_by(
        locations.c.is_missing,
        (locations.c.current_version_id == versions.c.id).desc(),
        FOLDER,
        locations.c.display,
        versions.c.id.desc(),
    )
    .limit(MOST)
)
JOBS_OF_HASH = select(jobs.c.id).where(jobs.c.source_hash == bindparam("hash")).order_by(jobs.c.id).limit(MOST)
OUTPUTS_OF_JOB = (
    select(materializations)
    .where(materializations.c.job_id == bindparam("job"), materializations.c.table_name != "")
    .order_by(materializations.c.table_name, materializations.c.sink_uri)
)
OUTPUT_OF_JOB = OUTPUTS_OF_JOB.where(materializations.c.table_name == bindparam("table"))
CURRENT_IN_TABLE = (
    select(materializations.c.job_id)
    .where(
        materializations.c.is_current,
        materializations.c.sink_uri == bindparam("sink"),
        materializations.c.table_name == bindparam("table"),
        materializations.c.accepted + materializations.c.quarantined + materializations.c.purged > 0,
    )
    .order_by(materializations.c.job_id.desc())
    .limit(MOST)
)
CONTRACT = (
    select(contracts)
    .where(contracts.c.table_name == bindparam("table"), contracts.c.version == bindparam("version"))
    .order_by(contracts.c.id.desc())
    .limit(1)
)


def hashes_with_prefix(connection: Connection, digits: str) -> list[str]:
    """The first few source hashes whose digits begin so."""
    return list(
        connection.execute(HASHES_WITH_PREFIX, {"first": f"blake3:{digits}", "after": f"blake3:{digits}g"}).scalars()
    )


def version(connection: Connection, number: int) -> RowMapping | None:
    """One file version."""
    return connection.execute(VERSION, {"version": number}).mappings().first()


def versions_of(connection: Connection, location: int) -> Sequence[RowMapping]:
    """The first hundred versions of a location, oldest first."""
    return connection.execute(VERSIONS_OF, {"location": location}).mappings().all()


def parser(connection: Connection, number: int) -> RowMapping:
    """One parser artifact."""
    return connection.execute(PARSER, {"parser": number}).mappings().one()


def places_of(connection: Connection, source_hash: str) -> Sequence[RowMapping]:
    """The paths that carry these bytes or did, a hundred at most: first those that are there."""
    return connection.execute(PLACES, {"hash": source_hash}).mappings().all()


def jobs_of_hash(connection: Connection, source_hash: str) -> list[int]:
    """The first hundred jobs that read these bytes, oldest first."""
    return list(connection.execute(JOBS_OF_HASH, {"hash": source_hash}).scalars())


def outputs_of(connection: Connection, job: int) -> Sequence[RowMapping]:
    """What a job brought to each table of each sink."""
    return connection.execute(OUTPUTS_OF_JOB, {"job": job}).mappings().all()


def output_of(connection: Connection, job: int, table: str) -> Sequence[RowMapping]:
    """What a job brought to one table, in each sink."""
    return connection.execute(OUTPUT_OF_JOB, {"job": job, "table": table}).mappings().all()


def current_jobs(connection: Connection, sink: str, table: str) -> list[int]:
    """The newest hundred jobs whose rows are in a table."""
    return list(connection.execute(CURRENT_IN_TABLE, {"sink": sink, "table": table}).scalars())


def contract(connection: Connection, table: str, version: int) -> RowMapping | None:
    """One version of a table's contract."""
    return connection.execute(CONTRACT, {"table": table, "version": version}).mappings().first()
