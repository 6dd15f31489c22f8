"""Runs that are over, with their jobs and what each brought where: what lineage events are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from casparian_flow.store.tables import jobs, locations, materializations, parsers, runs, sources

OVER = (
    select(runs)
    .where(runs.c.finished_at_ns.is_not(None), runs.c.finished_at_ns >= bindparam("since"))
    .order_by(runs.c.finished_at_ns, runs.c.plan_id)
)
UNTOLD = OVER.where(runs.c.told_at_ns.is_(None))
JOBS_OF_RUN = (
    select(
        jobs,
        locations.c.display.label("path"),
        sources.c.display.label("source"),
        parsers.c.name.label("parser_name"),
        parsers.c.version.label("parser_version"),
        parsers.c.manifest,
    )
    .select_from(
        jobs.join(locations, locations.c.id == jobs.c.location_id)
        .join(sources, sources.c.id == locations.c.source_id)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
    )
    .where(jobs.c.plan_id == bindparam("plan"))
    .order_by(jobs.c.id)
)
OUTPUTS_OF_RUN = (
    select(materializations)
    .join(jobs, jobs.c.id == materializations.c.job_id)
    .where(jobs.c.plan_id == bindparam("plan"), materializations.c.table_name != "")
    .order_by(materializations.c.job_id, materializations.c.table_name, materializations.c.sink_uri)
)


def runs_since(connection: Connection, since_ns: int) -> Sequence[RowMapping]:
    """The runs that ended since then, the first to end first."""
    return connection.execute(OVER, {"since": since_ns}).mappings().all()


def untold_runs(connection: Connection, since_ns: int) -> Sequence[RowMapping]:
    """Those of them whose lineage was not told."""
    return connection.execute(UNTOLD, {"since": since_ns}).mappings().all()


def jobs_of_run(connection: Connection, plan: int) -> Iterator[RowMapping]:
    """The jobs of a run in their order, one after another."""
    yield from connection.execute(JOBS_OF_RUN, {"plan": plan}).mappings()


def outputs_of_run(connection: Connection, plan: int) -> Iterator[RowMapping]:
    """What the jobs of a run brought, in the order of the jobs."""
    yield from connection.execute(OUTPUTS_OF_RUN, {"plan": plan}).mappings()
