"""Which tables exist, where they are, and how far their logs went when a job landed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, select

from casparian_flow.core.errors import NotFound
from casparian_flow.core.outputs import Role
from casparian_flow.store.tables import ID, commits
from casparian_flow.store.views.permits import committed_as

TABLES = (
    select(commits.c.table_name, commits.c.sink_uri, func.max(commits.c.id).label("newest"))
    .group_by(commits.c.table_name, commits.c.sink_uri)
    .order_by(commits.c.table_name)
)
QUARANTINED = (
    select(commits.c.table_name).where(commits.c.role == Role.QUARANTINE).distinct().order_by(commits.c.table_name)
)
LAST_COMMIT_OF = select(func.max(commits.c.id)).where(commits.c.job_id == committed_as(bindparam("job", type_=ID)))
_asked = commits.alias("asked")
END_OF_COMMIT = (
    select(func.max(commits.c.id))
    .join(
        _asked,
        (_asked.c.permitted_at_ns == commits.c.permitted_at_ns)
        & (func.coalesce(_asked.c.job_id, 0) == func.coalesce(commits.c.job_id, 0)),
    )
    .where(_asked.c.id == bindparam("commit"))
)
LAST_COMMIT_AT = (
    select(commits.c.id).where(commits.c.permitted_at_ns <= bindparam("moment")).order_by(commits.c.id.desc()).limit(1)
)
LAST_ENTRIES = (
    select(commits.c.sink_uri, commits.c.table_name, commits.c.role, func.max(commits.c.seq).label("seq"))
    .where(commits.c.id <= bindparam("commit"))
    .group_by(commits.c.sink_uri, commits.c.table_name, commits.c.role)
)


def sinks_of_tables(
    connection: Connection, default_sink: str, as_of: Iterable[tuple[str, str, Role]] = ()
) -> dict[str, str]:
    """The sink that each table's name means: the home's own, else a folder of Parquet files, else any.

    Of several alike the one that was written to last. A sink that has one of the logs `as_of`, those of a past moment,
    goes before all that got the table later.
    """
    then = {(table, sink) for sink, table, _role in as_of}
    found: dict[str, tuple[bool, bool, bool, int, str]] = {}
    for table, sink, newest in connection.execute(TABLES):
        rank = ((table, sink) in then, sink == default_sink, sink.startswith("parquet://"), newest, sink)
        found[table] = max(rank, found.get(table, rank))
    return {table: sink for table, (*_rank, sink) in found.items()}


def quarantined_tables(connection: Connection) -> list[str]:
    """The tables that ever had rows in quarantine."""
    return list(connection.execute(QUARANTINED).scalars())


def last_entries_of(connection: Connection, job: int) -> dict[tuple[str, str, Role], int]:
    """For each log, by sink, table and role, its last entry when the job's rows became visible; raises NotFound."""
    last = connection.execute(LAST_COMMIT_OF, {"job": job}).scalar()
    if last is None:
        raise NotFound(f"job {job} committed nothing", fix=f"casparian jobs show {job}")
    return entries_upto(connection, last)


def last_entries_at(connection: Connection, commit: int) -> dict[tuple[str, str, Role], int] | None:
    """For each log its last entry after a commit, whole as it was permitted; None if there was no such commit."""
    last = connection.execute(END_OF_COMMIT, {"commit": commit}).scalar()
    return None if last is None else entries_upto(connection, last)


def last_commit_at(connection: Connection, moment_ns: int) -> int:
    """The newest commit that was permitted by then, with all before it; 0 if there was none."""
    return int(connection.execute(LAST_COMMIT_AT, {"moment": moment_ns}).scalar() or 0)


def entries_upto(connection: Connection, commit: int) -> dict[tuple[str, str, Role], int]:
    """For each log its last entry up to a commit; none before the first."""
    found = connection.execute(LAST_ENTRIES, {"commit": commit})
    return {(sink, table, Role(role)): seq for sink, table, role, seq in found}
