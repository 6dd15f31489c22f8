"""Jobs: one file version through one parser, from the queue to the receipt."""

from __future__ import annotations

from typing import Any

from casparian_flow.core.jobs import JobState
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListJobs(Request, frozen=True, kw_only=True):
    """Which jobs; what is not given does not restrict. `after` is the cursor of the page before."""

    states: tuple[JobState, ...] = ()
    parser: str | None = None
    file: str | None = None
    since: str | None = None
    limit: int = 100
    after: str | None = None


class JobEntry(Reply, frozen=True, kw_only=True):
    """One job. Rows are those that it brought when it was recorded; `version` names what the job is now."""

    job: str
    version: str
    state: JobState
    path: str
    source: str
    parser: str
    reason: str
    attempt: int
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


class JobDetail(Reply, frozen=True, kw_only=True):
    """Everything known about one job. `sinks` are those it may write to; `receipt` is null until one was sealed."""

    job: JobEntry
    why: str | None
    sinks: list[str]
    source_hash: str
    outputs: list[JobOutput]
    groups: list[JobGroup]
    verdicts: list[JobVerdict]
    receipt: dict[str, Any] | None


class ReadJobLogs(Request, frozen=True, kw_only=True):
    """The last lines that a job's parser wrote."""

    job: str
    lines: int = 1000


class JobLogLine(Reply, frozen=True, kw_only=True):
    """One line. `stream` is stdout, stderr or log."""

    attempt: int
    line: int
    stream: str
    text: str


class JobLogs(Reply, frozen=True, kw_only=True):
    """What the parser wrote, oldest first."""

    job: str
    lines: list[JobLogLine]


OPERATIONS = (
    Operation("jobs.list", ListJobs, JobList, Effect.READ, "jobs.list_", "Jobs, newest first."),
    Operation(
        "jobs.show",
        ShowJob,
        JobDetail,
        Effect.READ,
        "jobs.show",
        "Everything known about one job.",
        version_at="job.version",
    ),
    Operation(
        "jobs.logs", ReadJobLogs, JobLogs, Effect.READ, "jobs.logs", "What the parser wrote while it read the file."
    ),
)
