"""Every sink that a home knows: written to, named, or the target of a topic."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, select, union

from casparian_flow.store.tables import commits, jobs, materializations, named_sinks, topics

KNOWN = union(
    select(materializations.c.sink_uri.label("uri")),
    select(commits.c.sink_uri),
    select(named_sinks.c.uri),
    select(topics.c.sink_uri),
).order_by("uri")
SHOWN = (
    select(
        materializations.c.sink_uri.label("sink"),
        materializations.c.table_name.label("table"),
        func.sum(materializations.c.accepted).label("rows"),
        func.max(materializations.c.recorded_at_ns).label("recorded_at_ns"),
    )
    .where(materializations.c.is_current, materializations.c.table_name != "")
    .group_by(materializations.c.sink_uri, materializations.c.table_name)
    .order_by(materializations.c.sink_uri, materializations.c.table_name)
)
WAITING = (
    select(
        commits.c.table_name.label("table"),
        commits.c.role,
        commits.c.seq,
        commits.c.job_id.label("job"),
        jobs.c.error_message.label("message"),
        jobs.c.error_why.label("why"),
    )
    .select_from(commits.outerjoin(jobs, jobs.c.id == commits.c.job_id))
    .where(commits.c.is_recorded.is_(False), commits.c.sink_uri == bindparam("sink"))
    .order_by(commits.c.id)
)


def known_sinks(connection: Connection) -> list[str]:
    """The URIs, sorted."""
    return list(connection.execute(KNOWN).scalars())


def shown_tables(connection: Connection) -> Sequence[RowMapping]:
    """Each table of each sink with its current rows, and when the newest of them were recorded."""
    return connection.execute(SHOWN).mappings().all()


def waiting_commits(connection: Connection, sink: str) -> Sequence[RowMapping]:
    """What was permitted in a sink and is not known to be visible there, oldest first."""
    return connection.execute(WAITING, {"sink": sink}).mappings().all()
