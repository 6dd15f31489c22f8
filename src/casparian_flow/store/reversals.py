"""What reverts read and write: the commits of one table, and which materializations they undid or brought back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    update,
)

from casparian_flow.core.outputs import PermittedEntry
from casparian_flow.core.quarantine import EntryState
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.outputs import is_carried, supersede
from casparian_flow.store.prepared import each_of, listed
from casparian_flow.store.tables import commits, jobs, locations, materializations, quarantine, versions
from casparian_flow.store.views.permits import committed_as

COMMITS_OF_TABLE = (
    select(commits)
    .where(commits.c.sink_uri == bindparam("sink"), commits.c.table_name == bindparam("table"))
    .order_by(commits.c.id)
)
COMMITS_SINCE = COMMITS_OF_TABLE.where(commits.c.id > bindparam("snapshot"))
NEWEST_COMMIT = select(func.max(commits.c.id)).where(
    commits.c.sink_uri == bindparam("sink"), commits.c.table_name == bindparam("table")
)
COMMITS_OF_JOB = COMMITS_OF_TABLE.where(commits.c.job_id == committed_as(bindparam("job", type_=jobs.c.id.type)))
TABLES_OF_JOB = (
    select(commits.c.sink_uri, commits.c.table_name, commits.c.job_id)
    .where(commits.c.job_id == committed_as(bindparam("job", type_=jobs.c.id.type)))
    .distinct()
    .order_by(commits.c.sink_uri, commits.c.table_name)
)
READ_BY = select(materializations).where(
    materializations.c.sink_uri == bindparam("sink"),
    materializations.c.job_id.in_(bindparam("jobs", expanding=True)),
)
_new, _old = versions.alias("new_versions"), versions.alias("old_versions")
EARLIER_BYTES = (
    select(_old.c.source_hash)
    .join(_new, _new.c.location_id == _old.c.location_id)
    .where(_new.c.source_hash == bindparam("hash"), _old.c.source_hash != bindparam("hash"), _old.c.id < _new.c.id)
    .distinct()
)
SHOWN_BYTES = (
    select(materializations.c.source_hash, materializations.c.parser_name)
    .where(
        materializations.c.sink_uri == bindparam("sink"),
        materializations.c.is_current.is_(True),
        materializations.c.source_hash.in_(bindparam("hashes", expanding=True)),
        materializations.c.job_id != bindparam("job"),
    )
    .distinct()
)
NOTE = (
    update(commits)
    .where(
        commits.c.sink_uri == bindparam("sink"),
        commits.c.table_name == bindparam("table"),
        commits.c.role == bindparam("of_role"),
        commits.c.seq == bindparam("of_seq"),
    )
    .values(reverts_to=bindparam("snapshot"), actor=bindparam("by"), reason=bindparam("why"))
)
_of_jobs = (
    materializations.c.sink_uri == bindparam("sink"),
    materializations.c.table_name == bindparam("table"),
    materializations.c.job_id.in_(bindparam("jobs", expanding=True)),
)
BRING_BACK = update(materializations).where(*_of_jobs).values(is_current=True, is_pinned=~is_carried)
MARK_UNDONE = (
    update(materializations)
    .where(*_of_jobs, materializations.c.reverted_in.is_(None))
    .values(reverted_in=bindparam("c"))
)
UNDONE = select(materializations.c.job_id).where(
    materializations.c.sink_uri == bindparam("sink"),
    materializations.c.table_name == bindparam("table"),
    materializations.c.reverted_in.is_not(None),
)
CLEAR_UNDONE = update(materializations).where(*_of_jobs).values(reverted_in=None)
SHOW_QUARANTINE = (
    update(quarantine)
    .where(quarantine.c.table_name == bindparam("table"), quarantine.c.job_id.in_(bindparam("jobs", expanding=True)))
    .values(
        is_current=quarantine.c.state != literal_column("'purged'"),
        # What had read these rows again is undone: they wait as before.
        state=case((quarantine.c.state == literal_column("'replayed'"), EntryState.OPEN), else_=quarantine.c.state),
        closed_by_job=None,
        closed_at_ns=None,
    )
)

_newer = materializations.alias("newer_materializations")


def _not_read_since(is_undone: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether no other job brought these bytes by that parser to that sink since; one that `is_undone` is as none."""
    return ~exists(
        select(_newer.c.id).where(
            _newer.c.source_hash == materializations.c.source_hash,
            _newer.c.parser_name == materializations.c.parser_name,
            _newer.c.sink_uri == materializations.c.sink_uri,
            _newer.c.id > materializations.c.id,
            _newer.c.job_id != materializations.c.job_id,
            ~is_undone,
        )
    )


HELD = (
    select(
        materializations.c.source_hash,
        materializations.c.parser_name,
        materializations.c.sink_uri,
        materializations.c.table_name,
        materializations.c.job_id,
        commits.c.actor,
        commits.c.permitted_at_ns,
    )
    .join(commits, commits.c.id == materializations.c.reverted_in)
    .where(materializations.c.reverted_in.is_not(None), _not_read_since(_newer.c.reverted_in.is_not(None)))
    .order_by(materializations.c.id)
)
HELD_OF = HELD.add_columns(
    (materializations.c.accepted + materializations.c.quarantined).label("rows"), commits.c.reason
).where(materializations.c.source_hash == bindparam("hash"), materializations.c.table_name != "")

# What `HELD` will find of one table, of which a file has the bytes, once `jobs` are those that reverts took out of it.
_is_here = (_newer.c.sink_uri == bindparam("sink")) & (_newer.c.table_name == bindparam("table"))
_would_be_undone = case((_is_here, _newer.c.job_id.in_(each_of("jobs"))), else_=_newer.c.reverted_in.is_not(None))
WOULD_BE_HELD = select(func.count(func.distinct(materializations.c.source_hash))).where(
    materializations.c.sink_uri == bindparam("sink"),
    materializations.c.table_name == bindparam("table"),
    materializations.c.job_id.in_(each_of("jobs")),
    _not_read_since(_would_be_undone),
    exists(
        select(versions.c.id)
        .join(locations, locations.c.current_version_id == versions.c.id)
        .where(versions.c.source_hash == materializations.c.source_hash, locations.c.is_missing.is_(False))
    ),
)

AT_ONCE = 10_000
"""Jobs named in one statement: fewer than a database takes."""


def commits_of_table(connection: Connection, sink: str, table: str) -> Iterator[AnyRow]:
    """Every log entry of a table in both roles, oldest first, one after another."""
    yield from connection.execute(COMMITS_OF_TABLE, {"sink": sink, "table": table})


def commits_since(connection: Connection, sink: str, table: str, snapshot: int) -> Sequence[AnyRow]:
    """Those after a snapshot."""
    return connection.execute(COMMITS_SINCE, {"sink": sink, "table": table, "snapshot": snapshot}).all()


def newest_commit(connection: Connection, sink: str, table: str) -> int:
    """The newest of them, which names the snapshot after it; there must be one."""
    return int(connection.execute(NEWEST_COMMIT, {"sink": sink, "table": table}).scalar_one())


def commits_of_job(connection: Connection, sink: str, table: str, job: int) -> Sequence[AnyRow]:
    """The log entries of a table that were permitted for a job, in its name or in its group leader's, oldest first."""
    return connection.execute(COMMITS_OF_JOB, {"sink": sink, "table": table, "job": job}).all()


def tables_of_job(connection: Connection, job: int) -> Sequence[AnyRow]:
    """The tables of sinks that the commit of a job's rows changed, and in the name of which job it was permitted."""
    return connection.execute(TABLES_OF_JOB, {"job": job}).all()


def read_by(connection: Connection, sink: str, jobs: Iterable[int]) -> Sequence[AnyRow]:
    """What jobs brought to each table of a sink."""
    return [row for some in _some(jobs) for row in connection.execute(READ_BY, {"sink": sink, "jobs": some})]


def earlier_bytes(connection: Connection, source_hash: str) -> frozenset[str]:
    """The bytes that the paths which have or had these held before them."""
    return frozenset(connection.execute(EARLIER_BYTES, {"hash": source_hash}).scalars())


def shown_bytes(connection: Connection, sink: str, hashes: Iterable[str], job: int) -> frozenset[tuple[str, str]]:
    """Of these bytes those that a sink shows by another job now, each with the parser that read them."""
    given = {"sink": sink, "hashes": sorted(hashes), "job": job}
    return frozenset((row.source_hash, row.parser_name) for row in connection.execute(SHOWN_BYTES, given))


def note(connection: Connection, entry: PermittedEntry, snapshot: int | None, actor: str, reason: str) -> None:
    """Keep who had it written, and why, beside the entry; for a revert to which snapshot it goes back."""
    of = {"sink": entry.sink, "table": entry.table, "of_role": entry.role, "of_seq": entry.seq}
    connection.execute(NOTE, of | {"snapshot": snapshot, "by": actor, "why": reason})


def take_out(connection: Connection, sink: str, table: str, jobs: Iterable[int]) -> None:
    """Hide what jobs brought to a table, and their quarantine."""
    for some in _some(jobs):
        supersede(connection, sink, table, some)


def bring_back(connection: Connection, sink: str, table: str, jobs: Iterable[int]) -> None:
    """Show again what jobs brought to a table; where no path carries the bytes, their absence no longer counts."""
    for some in _some(jobs):
        connection.execute(BRING_BACK, {"sink": sink, "table": table, "jobs": some})
        connection.execute(SHOW_QUARANTINE, {"table": table, "jobs": some})


def undone(connection: Connection, sink: str, table: str) -> frozenset[int]:
    """The jobs that reverts took out of a table, and that are out for that reason alone."""
    return frozenset(connection.execute(UNDONE, {"sink": sink, "table": table}).scalars())


def set_undone(connection: Connection, sink: str, table: str, jobs: frozenset[int], commit: int) -> None:
    """Make these jobs, and no others, the ones that reverts took out of a table; `commit` is the newest of those."""
    before = undone(connection, sink, table)
    for some in _some(jobs - before):
        connection.execute(MARK_UNDONE, {"sink": sink, "table": table, "jobs": some, "c": commit})
    for some in _some(before - jobs):
        connection.execute(CLEAR_UNDONE, {"sink": sink, "table": table, "jobs": some})


def held(connection: Connection) -> Sequence[AnyRow]:
    """What was undone and not read again since, by bytes, parser and sink, oldest first; with who undid it and when."""
    return connection.execute(HELD).all()


def count_held(connection: Connection, sink: str, table: str, jobs: Iterable[int]) -> int:
    """Files that are there, by their bytes, that are `held` for a table once these are its undone jobs."""
    given = {"sink": sink, "table": table, "jobs": listed(sorted(jobs))}
    return int(connection.execute(WOULD_BE_HELD, given).scalar_one())


def held_of(connection: Connection, source_hash: str) -> Sequence[AnyRow]:
    """As `held`, of these bytes and for tables alone; with how many rows each job had brought, and why they went."""
    return connection.execute(HELD_OF, {"hash": source_hash}).all()


def _some(jobs: Iterable[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(jobs)
    return (ordered[at : at + AT_ONCE] for at in range(0, len(ordered), AT_ONCE))
