"""Jobs: one file version through one parser, from the queue to the receipt."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.jobs import HELD_STATES, WORKER_STREAM, JobPhase, JobState, version_of
from casparian_flow.core.routes import routes_of
from casparian_flow.core.times import parse_since, rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.lookup import one_file
from casparian_flow.operations.numbered import is_number, resolve
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.store.views import jobs as view


MOST_ATTEMPTS = 20
"""Attempts that ended without landing that are shown of one job, the newest ones."""


class ListJobs(Request, frozen=True, kw_only=True):
    """Which jobs; what is not given does not restrict. `after` is the cursor of the page before."""

    states: tuple[JobState, ...] = ()
    parser: str | None = None
    file: str | None = None
    since: str | None = None
    tag: str | None = None
    dead: bool = False
    """Only dead letters: given up after their last retry, their bytes not tried again since."""
    limit: int = 100
    after: str | None = None


class JobEntry(Reply, frozen=True, kw_only=True):
    """One job. `accepted` and `quarantined` are the rows that it brought when it was recorded.

    While a worker has it, `phase` is what that does, and `rows_read` and `bytes_read` are how far it is. `version`
    names what the job is now: a change may be asked for under the condition that it still is.
    """

    job: str
    version: str
    state: JobState
    phase: JobPhase | None
    path: str
    source: str
    parser: str
    reason: str
    attempt: int
    priority: int
    worker: str | None
    rows_read: int
    bytes_read: int
    accepted: int
    quarantined: int
    error: str | None
    message: str | None
    queued: str
    started: str | None
    finished: str | None


class JobList(Reply, frozen=True, kw_only=True):
    """One page of jobs, newest first."""

    jobs: list[JobEntry]
    next_cursor: str | None


class ShowJob(Request, frozen=True, kw_only=True):
    """One job: its id, the beginning of it, `@last`, or `@-1` for the one before the last."""

    job: str


class JobOutput(Reply, frozen=True, kw_only=True):
    """Rows that a job brought to one table of one sink."""

    table: str
    sink: str
    mode: str
    accepted: int
    quarantined: int
    contract: int
    is_current: bool


class JobGroup(Reply, frozen=True, kw_only=True):
    """Rejections of a job with one cause."""

    table: str
    code: str
    column: str
    rows: int
    message: str
    sample: str
    state: str


class JobVerdict(Reply, frozen=True, kw_only=True):
    """What the parser detected about the file."""

    name: str
    value: str
    confidence: float
    runner_up: str | None


class JobAttempt(Reply, frozen=True, kw_only=True):
    """An attempt that did not land: at which worker, and why."""

    attempt: int
    ended: str


class Breaker(Reply, frozen=True, kw_only=True):
    """How often the job's parser failed since its last success, and since when it is paused for that."""

    failures: int
    paused: str | None


class JobDetail(Reply, frozen=True, kw_only=True):
    """Everything known about one job. `sinks` are those it may write to; `receipt` is null until one was sealed.

    `due` is when a queued job may be taken, null for at once; `lease_until` is when its worker must have been heard;
    `silent_since` is since when its parser gave no sign of life.
    """

    job: JobEntry
    why: str | None
    is_cancelled: bool
    failures: int
    due: str | None
    lease_until: str | None
    silent_since: str | None
    breaker: Breaker
    attempts: list[JobAttempt]
    sinks: list[str]
    source_hash: str
    outputs: list[JobOutput]
    groups: list[JobGroup]
    verdicts: list[JobVerdict]
    receipt: dict[str, Any] | None


class ShowReceipt(Request, frozen=True, kw_only=True):
    """The receipt of one job, named as in `ShowJob`."""

    job: str


class JobReceipt(Reply, frozen=True, kw_only=True):
    """The evidence that an attempt left, whole: what it read, what it wrote where, and what became of every row."""

    job: str
    attempt: int
    state: JobState
    receipt: dict[str, Any]


def list_(reading: Reading, request: ListJobs) -> JobList:
    """The jobs that the request selects, newest first."""
    if not 1 <= request.limit <= 10_000:
        raise UsageError("a page holds 1 to 10000 jobs")
    if request.after is not None and not is_number(request.after):
        raise UsageError("the cursor is not one that a list gave out")
    file = request.file
    where = view.JobFilter(
        states=request.states,
        parser=request.parser,
        location=None if file is None else one_file(reading.connection, reading.cwd, file)["id"],
        since_ns=None if request.since is None else parse_since(request.since, reading.now_ns),
        tag=request.tag,
        is_dead_letter=request.dead,
    )
    before = None if request.after is None else int(request.after)
    rows = view.list_jobs(reading.connection, where, before=before, limit=request.limit + 1)
    page = rows[: request.limit]
    return JobList(
        jobs=[entry_of(row) for row in page],
        next_cursor=str(page[-1]["id"]) if len(rows) > len(page) else None,
    )


def show(reading: Reading, request: ShowJob) -> JobDetail:
    """One job; raises NotFound, or UsageError if the id is not unique."""
    connection = reading.connection
    row = one_job(connection, request.job)
    state = JobState(row["state"])
    is_held = state in HELD_STATES
    return JobDetail(
        job=entry_of(row),
        why=row["error_why"],
        is_cancelled=row["cancel_requested"],
        failures=row["failures"],
        due=_moment(row["not_before_ns"] if state is JobState.QUEUED and row["not_before_ns"] else None),
        lease_until=_moment(row["lease_until_ns"] if is_held else None),
        silent_since=_moment(row["silent_since_ns"] if is_held else None),
        breaker=Breaker(failures=row["parser_failures"], paused=_moment(row["parser_paused_at_ns"])),
        attempts=[
            JobAttempt(attempt=each["attempt"], ended=each["text"])
            for each in view.last_lines(connection, row["id"], WORKER_STREAM, MOST_ATTEMPTS)
        ],
        sinks=list(routes_of(row["routes"]).sinks),
        source_hash=row["source_hash"],
        outputs=[
            JobOutput(
                table=each["table_name"],
                sink=each["sink_uri"],
                mode=each["sink_mode"],
                accepted=each["accepted"],
                quarantined=each["quarantined"],
                contract=each["contract_version"],
                is_current=each["is_current"],
            )
            for each in view.outputs_of(connection, row["id"])
        ],
        groups=[
            JobGroup(
                table=each["table_name"],
                code=each["code"],
                column=each["column_name"],
                rows=each["rows"],
                message=each["message"],
                sample=each["sample"],
                state=each["state"],
            )
            for each in view.groups_of(connection, row["id"])
        ],
        verdicts=[
            JobVerdict(
                name=each["name"], value=each["value"], confidence=each["confidence"], runner_up=each["runner_up"]
            )
            for each in view.verdicts_of(connection, row["id"])
        ],
        receipt=None if row["receipt"] is None else json.loads(row["receipt"]),
    )


def receipt(reading: Reading, request: ShowReceipt) -> JobReceipt:
    """The receipt of one job; raises NotFound while it has none."""
    row = one_job(reading.connection, request.job)
    if row["receipt"] is None:
        raise NotFound(
            f"job {row['id']} has no receipt",
            why=f"it is {row['state']}, and nothing of it was sealed",
            fix=f"casparian jobs show {row['id']}",
        )
    return JobReceipt(
        job=str(row["id"]),
        attempt=row["attempt"],
        state=JobState(row["state"]),
        receipt=json.loads(row["receipt"]),
    )


def one_job(connection: Connection, named: str) -> RowMapping:
    """The job that a number, the beginning of one, `@last` or `@-1` names; raises NotFound or UsageError."""
    job = resolve(connection, named, "job", view.nth_newest, view.with_prefix)
    row = None if job is None else view.find_job(connection, job)
    if row is None:
        raise NotFound(f"there is no job {named}", fix="casparian jobs")
    return row


def entry_of(row: RowMapping) -> JobEntry:
    """One job of the view as every answer shows it."""
    state = JobState(row["state"])
    is_held = state in HELD_STATES
    return JobEntry(
        job=str(row["id"]),
        version=version_of(row["attempt"], state, is_cancelled=row["cancel_requested"]),
        state=state,
        phase=JobPhase(row["phase"]) if is_held and row["phase"] else None,
        path=row["path"],
        source=row["source"],
        parser=f"{row['parser_name']}@{row['parser_version']}",
        reason=row["reason"],
        attempt=row["attempt"],
        priority=row["priority"],
        worker=row["worker"],
        rows_read=row["rows_read"],
        bytes_read=row["bytes_read"],
        accepted=row["accepted"],
        quarantined=row["quarantined"],
        error=row["error_code"],
        message=row["error_message"],
        queued=rfc3339(row["queued_at_ns"]),
        started=_moment(row["started_at_ns"]),
        finished=_moment(row["finished_at_ns"]),
    )


def _moment(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339(at_ns)


OPERATIONS = (
    Operation("jobs.list", ListJobs, JobList, Effect.READ, list_, "Jobs, newest first."),
    Operation("jobs.receipt", ShowReceipt, JobReceipt, Effect.READ, receipt, "The receipt of one job, whole."),
    Operation("jobs.show", ShowJob, JobDetail, Effect.READ, show, "Everything known about one job."),
)
