"""How what `operations.job.jobs` names is done."""

from __future__ import annotations

import json

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.jobs import HELD_STATES, WORKER_STREAM, JobPhase, JobState, version_of
from casparian_flow.core.routes import routes_of
from casparian_flow.core.times import parse_since, rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.doing.job.numbered import is_number, resolve
from casparian_flow.operations.job.jobs import (
    Breaker,
    JobAttempt,
    JobDetail,
    JobEntry,
    JobGroup,
    JobList,
    JobOutput,
    JobReceipt,
    JobVerdict,
    ListJobs,
    ShowJob,
    ShowReceipt,
)
from casparian_flow.store.views import jobs as view

MOST_ATTEMPTS = 20
"""Attempts that ended without landing that are shown of one job, the newest ones."""


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
                purged=each["purged"],
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
        size=row["size"],
        carried=row["carried"],
        accepted=row["accepted"],
        quarantined=row["quarantined"],
        # What ended an earlier attempt is told with that attempt.
        error=None if is_held else row["error_code"],
        message=None if is_held else row["error_message"],
        queued=rfc3339(row["queued_at_ns"]),
        started=_moment(row["started_at_ns"]),
        finished=_moment(row["finished_at_ns"]),
        purged=row["purged"],
    )


def _moment(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339(at_ns)
