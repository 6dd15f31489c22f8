"""File versions by number or hash, and what each of them brought."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, select

from casparian_flow.core.outputs import Role
from casparian_flow.store.tables import commits, jobs, locations, materializations, parsers, sources, versions
from casparian_flow.store.views.permits import committed_as
from casparian_flow.store.views.places import FOLDER

VERSIONS = select(
    versions,
    FOLDER.label("source"),
    locations.c.display.label("path"),
    (locations.c.current_version_id == versions.c.id).label("is_current"),
    locations.c.is_missing,
).select_from(
    versions.join(locations, locations.c.id == versions.c.location_id).join(
        sources, sources.c.id == locations.c.source_id
    )
)
BY_ID = VERSIONS.where(versions.c.id == bindparam("version"))
WITH_PREFIX = (
    VERSIONS.where(versions.c.source_hash.startswith(bindparam("prefix"), autoescape=False))
    .order_by(versions.c.id)
    .limit(20)
)
_seq = (
    select(func.max(commits.c.seq))
    .where(
        commits.c.job_id == committed_as(materializations.c.job_id),
        commits.c.sink_uri == materializations.c.sink_uri,
        commits.c.table_name == materializations.c.table_name,
        commits.c.role == Role.ACCEPTED,
    )
    .correlate(materializations)
    .scalar_subquery()
)
_newest = (
    select(func.max(materializations.c.job_id))
    .where(materializations.c.source_hash == bindparam("hash"), materializations.c.table_name != "")
    .scalar_subquery()
)
LANDED = (
    select(
        materializations.c.job_id,
        materializations.c.table_name,
        materializations.c.sink_uri,
        materializations.c.contract_version,
        materializations.c.accepted,
        materializations.c.quarantined,
        materializations.c.is_current,
        materializations.c.row_digest,
        (parsers.c.name + "@" + parsers.c.version).label("parser"),
        _seq.label("seq"),
    )
    .select_from(
        materializations.join(jobs, jobs.c.id == materializations.c.job_id).join(
            parsers, parsers.c.id == jobs.c.parser_id
        )
    )
    .where(and_(materializations.c.source_hash == bindparam("hash"), materializations.c.job_id == _newest))
    .where(materializations.c.table_name != "")
    .order_by(materializations.c.table_name, materializations.c.sink_uri)
)


def by_id(connection: Connection, version: int) -> RowMapping | None:
    """The version of that number, with its place."""
    return connection.execute(BY_ID, {"version": version}).mappings().one_or_none()


def with_prefix(connection: Connection, prefix: str) -> Sequence[RowMapping]:
    """The first versions whose hash begins so."""
    return connection.execute(WITH_PREFIX, {"prefix": prefix}).mappings().all()


def landed(connection: Connection, source_hash: str) -> Sequence[RowMapping]:
    """The tables that the last job over these bytes wrote to, each with the log entry that made its rows visible."""
    return connection.execute(LANDED, {"hash": source_hash}).mappings().all()
