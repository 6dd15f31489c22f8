"""What landed: log entries with their sequence numbers, materializations, quarantine groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, insert, literal_column, select, update

from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.store.emptied import is_believed
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import commits, jobs, locations, materializations, quarantine, sources, versions

LAST_SEQ = Prepared(
    select(func.max(commits.c.seq).label("seq")).where(
        commits.c.sink_uri == bindparam("sink"),
        commits.c.table_name == bindparam("table"),
        commits.c.role == bindparam("role"),
    )
)
ADD_COMMIT = Prepared(
    insert(commits).values(
        sink_uri=bindparam("sink"),
        table_name=bindparam("table"),
        role=bindparam("its_role"),
        seq=bindparam("number"),
        job_id=bindparam("job"),
        attempt=bindparam("of_attempt"),
        body=bindparam("entry"),
        permitted_at_ns=bindparam("now_ns"),
        is_recorded=False,
    )
)
UNRECORDED = (
    select(
        commits.c.id,
        commits.c.sink_uri,
        commits.c.table_name,
        commits.c.role,
        commits.c.seq,
        commits.c.body,
        commits.c.job_id,
        commits.c.permitted_at_ns,
        commits.c.reverts_to,
    )
    .where(commits.c.is_recorded.is_(False))
    .order_by(commits.c.id)
)
TROUBLED = UNRECORDED.join(jobs, jobs.c.id == commits.c.job_id).where(
    jobs.c.state == literal_column("'committing'"), jobs.c.error_code.is_not(None)
)
UNRECORDED_OF = Prepared(UNRECORDED.where(commits.c.job_id.in_(each_of("jobs"))))
LAST_RECORDED = (
    select(commits.c.table_name, commits.c.role, func.max(commits.c.seq).label("seq"))
    .where(commits.c.sink_uri == bindparam("sink"), commits.c.is_recorded.is_(True))
    .group_by(commits.c.table_name, commits.c.role)
    .order_by(commits.c.table_name, commits.c.role)
)
RECORD_COMMITS = Prepared(update(commits).where(commits.c.job_id.in_(each_of("jobs"))).values(is_recorded=True))
ADD_MATERIALIZATION = Prepared(
    insert(materializations).values(
        {
            column.name: bindparam(column.name)
            for column in materializations.c
            if column.name == "modes" or (column.name != "id" and column.server_default is None and not column.nullable)
        }
    )
)
COUNT_PURGED = (
    update(materializations)
    .where(
        materializations.c.job_id == bindparam("of_job"),
        materializations.c.table_name == bindparam("of_table"),
        materializations.c.is_current,
    )
    .values(
        quarantined=materializations.c.quarantined - bindparam("rows", type_=materializations.c.purged.type),
        purged=materializations.c.purged + bindparam("rows", type_=materializations.c.purged.type),
    )
)
RECORD_RETIREMENT = update(commits).where(commits.c.id == bindparam("commit")).values(is_recorded=True)

_now_current = (
    select(locations.c.id)
    .join(versions, versions.c.id == locations.c.current_version_id)
    .where(versions.c.source_hash.in_(each_of("hashes")))
)
_old = versions.alias("old_versions")
carrier = locations.alias("carriers")
newer = versions.alias("newer_versions")
_successor = locations.alias("successors")
# A path that is gone still carries its bytes, unless the file lives on under another name.
_lives_on = exists(
    select(_successor.c.id).where(_successor.c.renamed_from == carrier.c.id, _successor.c.is_missing.is_(False))
)
_retires = exists(
    select(sources.c.id).where(
        sources.c.id == carrier.c.source_id, sources.c.when_missing == literal_column(f"'{WhenMissing.RETIRE}'")
    )
) & is_believed(carrier)
carries = carrier.c.is_missing.is_(False) | (~_lives_on & ~_retires)
"""Whether a location, the `carrier`, keeps the rows of its `newer` bytes where they are."""
is_carried = exists(
    select(carrier.c.id)
    .join(newer, newer.c.id == carrier.c.current_version_id)
    .where(newer.c.source_hash == materializations.c.source_hash)
    .where(carries)
)
"""Whether rows have bytes behind them: a file that is there, or one that is gone from a source which keeps its rows."""
_VISIBLE = (
    materializations.c.id,
    materializations.c.job_id,
    materializations.c.table_name,
    materializations.c.sink_uri,
    materializations.c.source_hash,
    materializations.c.accepted,
    materializations.c.quarantined,
    materializations.c.purged,
)
_is_of_jobs = materializations.c.job_id.in_(each_of("jobs"))
_is_of_bytes = materializations.c.source_hash.in_(each_of("hashes"))
SUPERSEDED_BY = Prepared(
    select(*_VISIBLE).where(
        materializations.c.is_current.is_(True),
        materializations.c.sink_uri == bindparam("sink"),
        ~_is_of_jobs,
        (_is_of_bytes & (materializations.c.parser_name == bindparam("parser")))
        | (
            materializations.c.source_hash.in_(select(_old.c.source_hash).where(_old.c.location_id.in_(_now_current)))
            & ~_is_of_bytes
            & ~is_carried
        ),
    )
)
STALE = (
    select(*_VISIBLE)
    .where(materializations.c.is_current.is_(True), materializations.c.is_pinned.is_(False), ~is_carried)
    .order_by(materializations.c.id)
)
SUPERSEDE = (
    update(materializations)
    .where(
        materializations.c.job_id.in_(bindparam("jobs", expanding=True)),
        materializations.c.table_name == bindparam("table"),
        materializations.c.sink_uri == bindparam("sink"),
    )
    .values(is_current=False)
)
_is_shown = exists(
    select(materializations.c.id).where(
        materializations.c.job_id == quarantine.c.job_id,
        materializations.c.table_name == quarantine.c.table_name,
        materializations.c.is_current.is_(True),
    )
)
SUPERSEDE_QUARANTINE = (
    update(quarantine)
    .where(quarantine.c.job_id.in_(bindparam("jobs", expanding=True)), quarantine.c.table_name == bindparam("table"))
    .where(~_is_shown)
    .values(is_current=False)
)
CURRENT_IN_TABLE = select(*_VISIBLE).where(
    materializations.c.is_current.is_(True),
    materializations.c.sink_uri == bindparam("sink"),
    materializations.c.table_name == bindparam("table"),
)
FOREIGN_IN_TABLE = (
    CURRENT_IN_TABLE.join(jobs, jobs.c.id == materializations.c.job_id)
    .where(jobs.c.plan_id != bindparam("plan"))
    .limit(1)
)
SHOWS = Prepared(
    select(materializations.c.id)
    .where(
        materializations.c.is_current.is_(True),
        materializations.c.source_hash == bindparam("source"),
        materializations.c.sink_uri == bindparam("sink"),
        materializations.c.table_name == bindparam("table"),
        materializations.c.row_digest == bindparam("digest"),
    )
    .limit(1)
)
GROWN = Prepared(
    select(commits.c.id)
    .where(
        commits.c.sink_uri == bindparam("sink"),
        commits.c.table_name == bindparam("table"),
        commits.c.role == literal_column(f"'{Role.ACCEPTED}'"),
        commits.c.seq > bindparam("after"),
        commits.c.is_recorded.is_(True),
        commits.c.job_id.is_not(None) & commits.c.job_id.not_in(each_of("jobs")),
    )
    .limit(1)
)

# A job's rows in a table are the same in every sink, and are counted once.
_brought = (
    select(
        materializations.c.table_name,
        func.max(materializations.c.contract_version).label("contract_version"),
        func.max(materializations.c.accepted).label("accepted"),
        func.max(materializations.c.quarantined).label("quarantined"),
    )
    .join(jobs, jobs.c.id == materializations.c.job_id)
    .where(jobs.c.plan_id == bindparam("plan"), materializations.c.table_name != "")
    .group_by(materializations.c.table_name, materializations.c.job_id)
    .subquery()
)
BROUGHT_BY_PLAN = (
    select(
        _brought.c.table_name,
        func.max(_brought.c.contract_version).label("contract_version"),
        func.count().label("files"),
        func.sum(_brought.c.accepted).label("accepted"),
        func.sum(_brought.c.quarantined).label("quarantined"),
    )
    .group_by(_brought.c.table_name)
    .order_by(_brought.c.table_name)
)

_of_job_and_table = (
    select(
        materializations.c.job_id,
        func.max(materializations.c.accepted + materializations.c.quarantined).label("rows"),
    )
    .where(materializations.c.job_id.in_(bindparam("jobs", expanding=True)), materializations.c.table_name != "")
    .group_by(materializations.c.job_id, materializations.c.table_name)
    .subquery()
)
ROWS_OF_JOBS = select(_of_job_and_table.c.job_id, func.sum(_of_job_and_table.c.rows).label("rows")).group_by(
    _of_job_and_table.c.job_id
)


def next_seq(connection: Connection, sink: str, table: str, role: Role) -> int:
    """The sequence number of a log's next entry; only valid inside the permit's transaction."""
    last = LAST_SEQ.row(connection, sink=sink, table=table, role=role)
    return 1 if last is None or last.seq is None else int(last.seq) + 1


def add_commit(
    connection: Connection, entry: PermittedEntry, now_ns: int, *, job: int | None, attempt: int | None
) -> None:
    """Fix the bytes of one log entry before anyone writes it."""
    ADD_COMMIT.run(
        connection,
        sink=entry.sink,
        table=entry.table,
        its_role=entry.role,
        number=entry.seq,
        job=job,
        of_attempt=attempt,
        entry=entry.body,
        now_ns=now_ns,
    )


def record_commits(connection: Connection, jobs: Sequence[int]) -> None:
    """Every entry of these jobs is written."""
    RECORD_COMMITS.run(connection, jobs=listed(jobs))


def add_materializations(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep what a job brought; every column without a default must be given."""
    ADD_MATERIALIZATION.run_all(connection, rows)


def count_purged(connection: Connection, job: int, table: str, rows: int) -> None:
    """So many of the rows that a job put into quarantine are not there any more: they are erased for good."""
    connection.execute(COUNT_PURGED, {"of_job": job, "of_table": table, "rows": rows})


def unrecorded(connection: Connection) -> Sequence[AnyRow]:
    """Entries that were permitted and may or may not have been written, oldest first."""
    return connection.execute(UNRECORDED).all()


def troubled(connection: Connection) -> Sequence[AnyRow]:
    """Those of them that a sink refused, or of whose commit another sink refused its part."""
    return connection.execute(TROUBLED).all()


def last_recorded(connection: Connection, sink: str) -> Sequence[AnyRow]:
    """The newest entry of every log of a sink that is known to be written."""
    return connection.execute(LAST_RECORDED, {"sink": sink}).all()


def unrecorded_of(connection: Connection, jobs: Sequence[int]) -> Sequence[AnyRow]:
    """Those of these jobs."""
    return UNRECORDED_OF.rows(connection, jobs=listed(jobs))


def superseded_by(
    connection: Connection, sink: str, jobs: Sequence[int], hashes: Sequence[str], parser: str
) -> Sequence[AnyRow]:
    """Current materializations that jobs of one parser replace, which read the bytes of these hashes.

    Those of the same bytes by the same parser, and those of older versions of their locations whose bytes no
    location carries any more.
    """
    given = {"jobs": listed(jobs), "hashes": listed(hashes)}
    return SUPERSEDED_BY.rows(connection, sink=sink, parser=parser, **given)


def stale(connection: Connection) -> Sequence[AnyRow]:
    """Current materializations of bytes that no location carries any more, but for those that a revert brought back."""
    return connection.execute(STALE).all()


def supersede(connection: Connection, sink: str, table: str, removed: Sequence[int]) -> None:
    """Take the rows that jobs brought to a table of a sink out of the current view.

    Their quarantine goes when no other sink shows them.
    """
    if removed:
        connection.execute(SUPERSEDE, {"jobs": list(removed), "table": table, "sink": sink})
        connection.execute(SUPERSEDE_QUARANTINE, {"jobs": list(removed), "table": table})


def current_in_table(connection: Connection, sink: str, table: str) -> Sequence[AnyRow]:
    """What is visible of a table now."""
    return connection.execute(CURRENT_IN_TABLE, {"sink": sink, "table": table}).all()


def shows(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Whether a table shows just the rows of these bytes that a materialization is about to bring."""
    source, digest = row["source_hash"], row["row_digest"]
    found = SHOWS.rows(connection, source=source, sink=row["sink_uri"], table=row["table_name"], digest=digest)
    return bool(found)


def has_grown(connection: Connection, sink: str, table: str, after: int, but: Sequence[int]) -> bool:
    """Whether jobs other than these have brought rows to a table since its log entry `after`."""
    return bool(GROWN.rows(connection, sink=sink, table=table, after=after, jobs=listed(but)))


def has_foreign_rows(connection: Connection, sink: str, table: str, plan: int) -> bool:
    """Whether a table shows rows that this plan did not bring."""
    return connection.execute(FOREIGN_IN_TABLE, {"sink": sink, "table": table, "plan": plan}).first() is not None


def brought_by_plan(connection: Connection, plan: int) -> Sequence[AnyRow]:
    """What a plan's jobs brought to each table."""
    return connection.execute(BROUGHT_BY_PLAN, {"plan": plan}).all()


def rows_of_jobs(connection: Connection, jobs: Iterable[int]) -> dict[int, int]:
    """The rows that each of these jobs brought, accepted and quarantined, counted once however many sinks have them."""
    numbers, found = sorted(jobs), {}
    for at in range(0, len(numbers), 500):
        rows = connection.execute(ROWS_OF_JOBS, {"jobs": numbers[at : at + 500]})
        found.update({row.job_id: int(row.rows) for row in rows})
    return found
