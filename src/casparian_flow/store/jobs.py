"""Jobs: queued, claimed, moved and ended by statements that name the state they expect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.core.jobs import JobPhase, JobState
from casparian_flow.core.routes import routes_of
from casparian_flow.store import claims
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import jobs

LARGEST_GROUPED = 64 << 20
"""Files above this size are never grouped with others in one process."""

IS_ATTEMPT = (jobs.c.id == bindparam("job")) & (jobs.c.attempt == bindparam("of_attempt"))
IS_OUT = jobs.c.state.in_((literal_column("'dispatched'"), literal_column("'running'")))
CARRIED = case((jobs.c.carries.is_not(None), func.coalesce(func.json_extract(jobs.c.receipt, "$.carried"), 0)), else_=0)
"""How many rows a job took over."""
SEALED: dict[str, Any] = {
    "receipt": bindparam("sealed_receipt"),
    "rows_read": bindparam("sealed_rows"),
    "bytes_read": bindparam("sealed_bytes"),
}
"""What is kept of a sealed attempt: how far it came is known at last, also of one too short to tell it before."""

PERMIT_COMMIT = Prepared(
    update(jobs)
    .where(IS_ATTEMPT)
    .where(jobs.c.state == literal_column("'running'"), jobs.c.cancel_requested.is_(False))
    .values(state=JobState.COMMITTING, **SEALED)
)
START = Prepared(
    update(jobs)
    .where(IS_ATTEMPT)
    .where(jobs.c.state == literal_column("'dispatched'"), jobs.c.cancel_requested.is_(False))
    .values(state=JobState.RUNNING, started_at_ns=bindparam("now_ns"))
)
COMPLETE = Prepared(
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.state == literal_column("'committing'"))
    .values(
        state=JobState.COMPLETED,
        finished_at_ns=bindparam("now_ns"),
        lease_until_ns=None,
        is_transient=None,
        error_code=None,
        error_message=None,
        error_why=None,
    )
)
ROUTES_OF_UNPERMITTED = (
    select(jobs.c.routes).where(jobs.c.state.in_((JobState.QUEUED, JobState.DISPATCHED, JobState.RUNNING))).distinct()
)
ROUTES_OF = select(jobs.c.routes).where(jobs.c.id == bindparam("job"))
REQUEST_CANCEL = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .where(jobs.c.state.in_((JobState.QUEUED, JobState.DISPATCHED, JobState.RUNNING)))
    .values(cancel_requested=True)
)
NOTE_TROUBLE = (
    update(jobs)
    .where(IS_ATTEMPT)
    .where(jobs.c.state == literal_column("'committing'"))
    .values(error_code=bindparam("code"), error_message=bindparam("message"), error_why=bindparam("why"))
)
HOLD = Prepared(
    update(jobs)
    .where(IS_ATTEMPT)
    .where(jobs.c.state == literal_column("'running'"), jobs.c.cancel_requested.is_(False))
    .values(phase=JobPhase.SEALED, lease_until_ns=None, **SEALED)
)
RELEASE = Prepared(
    update(jobs)
    .where(IS_ATTEMPT)
    .where(jobs.c.state == literal_column("'running'"), jobs.c.phase == literal_column(f"'{JobPhase.SEALED}'"))
    .values(state=JobState.QUEUED, receipt=None, not_before_ns=bindparam("now_ns"))
)
MAY_COMMIT = Prepared(
    select(jobs.c.id)
    .where(IS_ATTEMPT)
    .where(jobs.c.state == literal_column("'running'"), jobs.c.cancel_requested.is_(False))
)
PUT_BACK = Prepared(
    update(jobs)
    .where(jobs.c.id.in_(each_of("jobs")), jobs.c.state == literal_column("'dispatched'"))
    .values(state=JobState.QUEUED, attempt=jobs.c.attempt - 1, lease_until_ns=None, worker=None, session=None)
)
TELL = Prepared(
    update(jobs)
    .where(IS_ATTEMPT, IS_OUT)
    .values(
        lease_until_ns=bindparam("until_ns"),
        phase=bindparam("now_doing"),
        rows_read=bindparam("rows"),
        bytes_read=bindparam("bytes"),
        silent_since_ns=bindparam("silent"),
        worker=bindparam("of_worker"),
        session=bindparam("of_session"),
    )
)
PRIORITISE = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.state == literal_column("'queued'"))
    .values(priority=bindparam("to"))
)
OPEN_OF_PLAN = select(
    jobs.c.id,
    jobs.c.state,
    jobs.c.attempt,
    jobs.c.parser_id,
    jobs.c.base_table,
    jobs.c.phase,
    jobs.c.receipt,
    jobs.c.failures,
    jobs.c.session,
    jobs.c.cancel_requested,
).where(
    jobs.c.plan_id == bindparam("plan"),
    jobs.c.state.in_((JobState.QUEUED, JobState.DISPATCHED, JobState.RUNNING, JobState.COMMITTING)),
)
STANDING = Prepared(
    select(jobs.c.state, jobs.c.attempt, jobs.c.plan_id, jobs.c.session, jobs.c.parser_id, jobs.c.base_table).where(
        jobs.c.id == bindparam("job")
    )
)
CARRY_NOTHING = update(jobs).where(jobs.c.id == bindparam("job")).values(carries=None)
NEXT_DUE = select(func.min(jobs.c.not_before_ns)).where(
    jobs.c.state == literal_column("'queued'"), jobs.c.not_before_ns > bindparam("now_ns")
)
UNDECIDED = select(jobs.c.id, jobs.c.attempt).where(
    jobs.c.state.in_((JobState.DISPATCHED, JobState.RUNNING, JobState.COMMITTING))
)
OUT = Prepared(
    select(jobs.c.parser_id, jobs.c.base_table)
    .where(jobs.c.state.in_([literal_column(f"'{each}'") for each in ("dispatched", "running", "committing")]))
    .distinct()
)
COMMITTING = select(jobs.c.id, jobs.c.attempt).where(jobs.c.state == literal_column("'committing'"))
NOT_LANDED = select(
    jobs.c.id, jobs.c.state, jobs.c.error_code, jobs.c.location_id, jobs.c.error_message, jobs.c.error_why
).where(jobs.c.plan_id == bindparam("plan"), jobs.c.state != literal_column("'completed'"))


def carry_nothing(connection: Connection, job: int) -> None:
    """Let a job read all of its file, whatever older ones have of it."""
    connection.execute(CARRY_NOTHING, {"job": job})


def enqueue(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add jobs in state `queued`; every column without a default must be given."""
    if rows:
        connection.execute(insert(jobs), rows)


CLAIM = {oldest_first: Prepared(claims.claim_on_sqlite(oldest_first=oldest_first)) for oldest_first in (False, True)}
"""What almost every worker can do: any job."""
_claim = cache(claims.claim_on_sqlite)
_claim_alike = cache(claims.claim_alike_on_sqlite)
CLAIM_ALIKE = Prepared(claims.claim_alike_on_sqlite())
COUNT_QUEUED = Prepared(
    select(func.count().label("count")).select_from(
        select(jobs.c.id).where(jobs.c.state == literal_column("'queued'")).limit(bindparam("most")).subquery()
    )
)


def claim(
    connection: Connection,
    worker: str,
    session: str,
    now_ns: int,
    lease_ns: int,
    *,
    oldest_first: bool,
    parsers: Sequence[int] | None = None,
    sources: Sequence[int] | None = None,
    without: Sequence[str] = (),
) -> AnyRow | None:
    """Take one job for a worker, of these parsers and sources where they are given; None when none is due.

    None of a file that asks for a table in `without`.
    """
    values = {"worker": worker, "holder": session, "now_ns": now_ns, "lease_until_ns": now_ns + lease_ns}
    if parsers is None and sources is None and not without:
        return CLAIM[oldest_first].row(connection, **values)
    statement = _claim(
        1,
        oldest_first=oldest_first,
        of_parsers=parsers is not None,
        of_sources=sources is not None,
        without_bases=bool(without),
    )
    return connection.execute(
        statement, values | _given(parsers=parsers, sources=sources, bases=without or None)
    ).first()


def claim_alike(
    connection: Connection,
    first: AnyRow,
    worker: str,
    session: str,
    now_ns: int,
    lease_ns: int,
    limit: int,
    *,
    sources: Sequence[int] | None = None,
    without: Sequence[str] = (),
) -> Sequence[AnyRow]:
    """Take up to `limit` more jobs of small files for the process that reads the first."""
    values = {
        "worker": worker,
        "holder": session,
        "now_ns": now_ns,
        "lease_until_ns": now_ns + lease_ns,
        "same_parser": first.parser_id,
        "same_config": first.config_hash,
        "same_plan": first.plan_id,
        "largest": LARGEST_GROUPED,
        "limit": limit,
    }
    if sources is None and not without:
        return CLAIM_ALIKE.rows(connection, **values)
    statement = _claim_alike(of_sources=sources is not None, without_bases=bool(without))
    return connection.execute(statement, values | _given(sources=sources, bases=without or None)).all()


def _given(**values: Sequence[int] | Sequence[str] | None) -> dict[str, Any]:
    return {name: list(value) for name, value in values.items() if value is not None}


def out(connection: Connection) -> Sequence[AnyRow]:
    """The parsers and base tables of jobs that somebody reads, or whose rows are on their way to the targets."""
    return OUT.rows(connection)


def count_queued(connection: Connection, most: int) -> int:
    """How many jobs are queued, counted up to `most`."""
    found = COUNT_QUEUED.row(connection, most=most)
    assert found is not None
    return int(found.count)


def put_back(connection: Connection, ids: Iterable[int]) -> None:
    """Return claimed jobs that were not begun to the queue, their attempt not counted."""
    PUT_BACK.run(connection, jobs=listed(ids))


def start(connection: Connection, attempts: Iterable[tuple[int, int]], now_ns: int) -> set[int]:
    """Let attempts run, each with its job: the jobs of those that may, neither stale nor cancelled."""
    return {job for job, attempt in attempts if START.run(connection, job=job, of_attempt=attempt, now_ns=now_ns)}


def permit(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    """The commit point: whether all of these attempts may make their rows visible; then they only roll forward.

    If not, the caller has to take back what was changed.
    """
    return PERMIT_COMMIT.run_all(connection, sealed) == len(sealed)


def may_commit(connection: Connection, job: int, attempt: int) -> bool:
    """Whether an attempt runs or is held, and nobody has cancelled it."""
    return MAY_COMMIT.row(connection, job=job, of_attempt=attempt) is not None


def complete(connection: Connection, permitted: Sequence[int], now_ns: int) -> bool:
    """Record that the rows of permitted jobs are visible; false, with some of it changed, unless all have a permit."""
    return COMPLETE.run_all(connection, [{"job": job, "now_ns": now_ns} for job in permitted]) == len(permitted)


def note_trouble(connection: Connection, job: int, attempt: int, *, code: str, message: str, why: str = "") -> bool:
    """Keep why a permitted job could not be promoted yet; false if it is not committing."""
    noted = connection.execute(
        NOTE_TROUBLE, {"job": job, "of_attempt": attempt, "code": code, "message": message, "why": why}
    )
    return noted.rowcount == 1


def not_landed(connection: Connection, plan: int) -> Sequence[AnyRow]:
    """The jobs of a plan that did not land, and why."""
    return connection.execute(NOT_LANDED, {"plan": plan}).all()


def undecided(connection: Connection) -> Sequence[AnyRow]:
    """The attempts that may still become visible: their files stay."""
    return connection.execute(UNDECIDED).all()


def sinks_of_unpermitted(connection: Connection) -> list[str]:
    """The sinks in which jobs without a permit may have left files."""
    found = connection.execute(ROUTES_OF_UNPERMITTED).scalars()
    return sorted({sink for routes in found for sink in routes_of(routes).sinks})


def sinks_of(connection: Connection, job: int) -> tuple[str, ...]:
    """The sinks in which a job may stage files."""
    return routes_of(connection.execute(ROUTES_OF, {"job": job}).scalar_one()).sinks


def request_cancel(connection: Connection, job: int) -> bool:
    """Ask for a job to stop before it commits; false when it is committing or over."""
    return connection.execute(REQUEST_CANCEL, {"job": job}).rowcount == 1


def hold(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    """Keep sealed attempts until their run ends; false, with some of it changed, if one is stale or cancelled."""
    return HOLD.run_all(connection, sealed) == len(sealed)


def release(connection: Connection, job: int, attempt: int, now_ns: int) -> bool:
    """Queue a job again whose sealed attempt was held and is no more; that is no failure of it."""
    return RELEASE.run(connection, job=job, of_attempt=attempt, now_ns=now_ns) == 1


def tell(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep what workers say of attempts without a permit: the lease, the phase, how far they are."""
    TELL.run_all(connection, rows)


def prioritise(connection: Connection, job: int, to: int) -> bool:
    """Give a queued job another priority; false if it is not queued any more."""
    return connection.execute(PRIORITISE, {"job": job, "to": to}).rowcount == 1


def open_of_plan(connection: Connection, plan: int) -> Sequence[AnyRow]:
    """The jobs of a plan that are not over."""
    return connection.execute(OPEN_OF_PLAN, {"plan": plan}).all()


def standing(connection: Connection, job: int) -> AnyRow | None:
    """State, attempt, plan, parser and holder of a job; None if there is none of that id."""
    return STANDING.row(connection, job=job)


def next_due(connection: Connection, now_ns: int) -> int | None:
    """When the pause of the next queued job is over; None if none is in a pause."""
    due: int | None = connection.execute(NEXT_DUE, {"now_ns": now_ns}).scalar()
    return due
