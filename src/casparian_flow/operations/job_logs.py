"""What was written while a job ran: its last lines, or those behind a place, so that a reader can follow."""

from __future__ import annotations

import re

from sqlalchemy import RowMapping

from casparian_flow.core.errors import UsageError
from casparian_flow.core.jobs import FINAL_STATES, WORKER_STREAM, JobState
from casparian_flow.operations.context import Reading
from casparian_flow.operations.jobs import one_job
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.store.views import jobs as view

STREAMS = ("guest", WORKER_STREAM)
START = "0.0"
LATE_NS = 2_000_000_000
"""Lines travel with the worker's heartbeats, up to two of them behind the end of the job."""


class ReadJobLogs(Request, frozen=True, kw_only=True):
    """The last lines of a job, or with `after`, the `next` of an earlier answer, the first ones behind it.

    `stream` is `guest` for what the parser wrote, `worker` for how its attempts ended; not given, it is both.
    """

    job: str
    lines: int = 1000
    stream: str | None = None
    after: str | None = None


class JobLogLine(Reply, frozen=True, kw_only=True):
    """One line. `stream` is stdout, stderr, log or worker."""

    attempt: int
    line: int
    stream: str
    text: str


class JobLogs(Reply, frozen=True, kw_only=True):
    """Lines, oldest first. `next` is the place behind them; once `is_over`, nothing more will stand there."""

    job: str
    lines: list[JobLogLine]
    next: str
    is_over: bool


def logs(reading: Reading, request: ReadJobLogs) -> JobLogs:
    """What was written while one job ran; raises NotFound."""
    if not 1 <= request.lines <= 100_000:
        raise UsageError("1 to 100000 lines can be read at once")
    if request.stream is not None and request.stream not in STREAMS:
        raise UsageError(f"a stream is {' or '.join(STREAMS)}, not {request.stream}")
    after = None if request.after is None else _place(request.after)
    row = one_job(reading.connection, request.job)
    if after is None:
        found = view.last_lines(reading.connection, row["id"], request.stream, request.lines)
    else:
        found = list(view.lines_after(reading.connection, row["id"], request.stream, after, request.lines))
    lines = [
        JobLogLine(attempt=each["attempt"], line=each["line"], stream=each["stream"], text=each["text"])
        for each in found
    ]
    return JobLogs(
        job=str(row["id"]),
        lines=lines,
        next=f"{lines[-1].attempt}.{lines[-1].line}" if lines else request.after or START,
        is_over=_is_quiet(row, reading.now_ns) and (after is None or len(lines) < request.lines),
    )


def _is_quiet(row: RowMapping, now_ns: int) -> bool:
    """Whether the job is over, and what was written at its very end had the time to arrive."""
    return row["state"] in FINAL_STATES and now_ns - (row["finished_at_ns"] or 0) > LATE_NS


def _place(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,10})", text)
    if found is None:
        raise UsageError("the place is not one that an answer gave out", why=text, fix=START)
    return int(found[1]), int(found[2])


OPERATIONS = (
    Operation("jobs.logs", ReadJobLogs, JobLogs, Effect.READ, logs, "What was written while a job ran."),
)
