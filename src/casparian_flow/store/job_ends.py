"""How attempts end that did not land: for good, to be tried again, or never begun; and what is kept of their words."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Integer, Text, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.core.jobs import INTERRUPTED, WORKER_STREAM, JobState, LogLine
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.jobs import IS_ATTEMPT, IS_OUT
from casparian_flow.store.tables import job_logs, jobs

ATTEMPT_END = 1 << 30
"""The line number under which the end of an attempt is kept, behind everything that its parser can write."""

END = (
    update(jobs)
    .where(IS_ATTEMPT, IS_OUT)
    .values(
        state=bindparam("to"),
        finished_at_ns=bindparam("now_ns"),
        error_code=bindparam("code"),
        error_message=bindparam("message"),
        error_why=bindparam("why"),
        is_transient=bindparam("transient"),
        failures=jobs.c.failures + 1,
        lease_until_ns=None,
    )
)
REQUEUE = (
    update(jobs)
    .where(IS_ATTEMPT, IS_OUT)
    .values(
        state=JobState.QUEUED,
        not_before_ns=bindparam("due_ns"),
        failures=jobs.c.failures + bindparam("counted"),
        error_code=bindparam("code"),
        error_message=bindparam("message"),
        lease_until_ns=None,
    )
)
ABANDON_UNPERMITTED = (
    update(jobs)
    .where(jobs.c.state.in_((JobState.QUEUED, JobState.DISPATCHED, JobState.RUNNING)))
    .values(
        state=JobState.ABORTED,
        finished_at_ns=bindparam("now_ns"),
        error_code=INTERRUPTED,
        error_message=bindparam("message"),
        lease_until_ns=None,
    )
)
ABORT_QUEUED = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.state == literal_column("'queued'"))
    .values(
        state=JobState.ABORTED,
        cancel_requested=True,
        finished_at_ns=bindparam("now_ns"),
        error_code=bindparam("code"),
        error_message=bindparam("message"),
    )
)
REJECT_QUEUED = (
    update(jobs)
    .where(jobs.c.parser_id == bindparam("parser"), jobs.c.state == literal_column("'queued'"))
    .values(
        state=JobState.REJECTED,
        finished_at_ns=bindparam("now_ns"),
        error_code=bindparam("code"),
        error_message=bindparam("message"),
        error_why=bindparam("why"),
    )
    .returning(jobs.c.id, jobs.c.plan_id)
)
NOTE_END = (
    insert(job_logs)
    .from_select(
        ["job_id", "attempt", "line", "stream", "text"],
        select(
            jobs.c.id,
            bindparam("of_attempt", type_=Integer),
            bindparam("end", type_=Integer),
            literal_column(f"'{WORKER_STREAM}'"),
            func.coalesce(jobs.c.worker, "nobody") + ": " + bindparam("how", type_=Text),
        ).where(jobs.c.id == bindparam("job")),
    )
    .on_conflict_do_nothing()
)


def end(
    connection: Connection,
    job: int,
    attempt: int,
    to: JobState,
    now_ns: int,
    *,
    code: str,
    message: str,
    why: str = "",
    transient: bool = False,
) -> bool:
    """End an attempt that has no permit, for good."""
    changed = connection.execute(
        END,
        {
            "job": job,
            "of_attempt": attempt,
            "to": to,
            "now_ns": now_ns,
            "code": code,
            "message": message,
            "why": why,
            "transient": transient,
        },
    )
    if changed.rowcount:
        _note_end(connection, job, attempt, f"{to}, {code}: {message}")
    return changed.rowcount == 1


def requeue(
    connection: Connection, job: int, attempt: int, due_ns: int, *, counts: bool, code: str = "", message: str = ""
) -> bool:
    """Give a job without a permit another attempt, not before `due_ns`; `counts` says it failed by itself."""
    changed = connection.execute(
        REQUEUE,
        {"job": job, "of_attempt": attempt, "due_ns": due_ns, "counted": int(counts), "code": code, "message": message},
    )
    if changed.rowcount and counts:
        _note_end(connection, job, attempt, f"to be tried again, {code}: {message}")
    return changed.rowcount == 1


def abandon_unpermitted(connection: Connection, now_ns: int, message: str) -> int:
    """Abort what an earlier process left without a permit; how many there were."""
    return connection.execute(ABANDON_UNPERMITTED, {"now_ns": now_ns, "message": message}).rowcount


def abort_queued(connection: Connection, job: int, now_ns: int, *, code: str, message: str) -> bool:
    """Abort a job that no worker has; false if it is not queued any more."""
    values = {"job": job, "now_ns": now_ns, "code": code, "message": message}
    return connection.execute(ABORT_QUEUED, values).rowcount == 1


def reject_queued(
    connection: Connection, parser: int, now_ns: int, *, code: str, message: str, why: str
) -> Sequence[AnyRow]:
    """End every queued job of a parser; which they were, with their plans."""
    values = {"parser": parser, "now_ns": now_ns, "code": code, "message": message, "why": why}
    return connection.execute(REJECT_QUEUED, values).all()


def add_log_lines(connection: Connection, job: int, attempt: int, first: int, lines: Sequence[LogLine]) -> None:
    """Keep what a parser wrote, in order, from line number `first`; lines that are kept already stay as they are."""
    if lines:
        connection.execute(
            insert(job_logs).on_conflict_do_nothing(),
            [
                {"job_id": job, "attempt": attempt, "line": first + at, "stream": line.stream, "text": line.text}
                for at, line in enumerate(lines)
            ],
        )


def _note_end(connection: Connection, job: int, attempt: int, text: str) -> None:
    """Keep how an attempt ended that did not land, behind the lines of its parser: the job itself forgets it."""
    connection.execute(NOTE_END, {"job": job, "of_attempt": attempt, "end": ATTEMPT_END, "how": text})
