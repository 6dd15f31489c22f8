"""How files were read: by which job, with what was asked of it, and where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import each_of, listed
from casparian_flow.store.tables import jobs, locations, materializations, parsers, sources, versions

_READINGS = select(
    jobs.c.id,
    jobs.c.location_id,
    jobs.c.config,
    jobs.c.config_hash,
    jobs.c.base_table,
    jobs.c.routes,
    parsers.c.id.label("parser_id"),
    parsers.c.name.label("parser"),
    parsers.c.path.label("parser_path"),
    parsers.c.origin,
    locations.c.display,
    locations.c.rel_path,
    sources.c.id.label("source_id"),
    sources.c.root,
    sources.c.only,
    versions.c.content,
    versions.c.content_reason,
    versions.c.size,
).select_from(
    jobs.join(parsers, parsers.c.id == jobs.c.parser_id)
    .join(locations, locations.c.id == jobs.c.location_id)
    .join(sources, sources.c.id == locations.c.source_id)
    .join(versions, versions.c.id == jobs.c.version_id)
)
BY_JOB = _READINGS.where(jobs.c.id.in_(each_of("jobs"))).order_by(jobs.c.id)
IN_FORCE = (
    _READINGS.where(
        jobs.c.id.in_(select(materializations.c.job_id).where(materializations.c.is_current)),
        locations.c.is_missing.is_(False),
    )
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
)
_ways = IN_FORCE.subquery()
WAYS_IN_FORCE = select(
    _ways.c.config_hash, _ways.c.routes, _ways.c.parser_id, _ways.c.origin, _ways.c.content
).distinct()


_shown = select(materializations.c.job_id).distinct().where(materializations.c.is_current)
_first_shown = _shown.order_by(materializations.c.job_id).limit(5000)
OF_PARSER = _first_shown.where(materializations.c.parser_name == bindparam("parser"))
OF_TABLE = _first_shown.where(materializations.c.table_name == bindparam("of_table"))


def jobs_in_force(connection: Connection, *, parser: str | None = None, table: str | None = None) -> Sequence[int]:
    """The jobs that brought what is shown now, by this parser or to this table; the first few thousand."""
    wanted = OF_PARSER if parser is not None else OF_TABLE
    return connection.execute(wanted, {"parser": parser, "of_table": table}).scalars().all()


def readings_of(connection: Connection, of_jobs: Iterable[int]) -> Sequence[AnyRow]:
    """How these jobs read their files, in the order of the jobs."""
    return connection.execute(BY_JOB, {"jobs": listed(of_jobs)}).all()


def readings_in_force(connection: Connection, most: int) -> Sequence[AnyRow]:
    """How the files were read that are there and whose rows are shown; at most so many of them."""
    return connection.execute(IN_FORCE, {"most": most}).all()


def ways_in_force(connection: Connection, most: int) -> Sequence[AnyRow]:
    """The different ways in which the files of `readings_in_force` were read: with what, by whom, as which content."""
    return connection.execute(WAYS_IN_FORCE, {"most": most}).all()
