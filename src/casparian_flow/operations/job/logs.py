"""What was written while a job ran: its last lines, or those behind a place, so that a reader can follow."""

from __future__ import annotations

from casparian_flow.core.jobs import WORKER_STREAM
from casparian_flow.operations.limits import LineCount
from casparian_flow.operations.registry import Effect, Operation, Reply, Request

STREAMS = ("guest", WORKER_STREAM)


class ReadJobLogs(Request, frozen=True, kw_only=True):
    """The last lines of a job, or with `after`, the `next` of an earlier answer, the first ones behind it.

    `stream` is `guest` for what the parser wrote, `worker` for how its attempts ended; not given, it is both.
    """

    job: str
    lines: LineCount = 1000
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


OPERATIONS = (
    Operation("jobs.logs", ReadJobLogs, JobLogs, Effect.READ, "job.logs.logs", "What was written while a job ran."),
)
