"""Jobs: one file version through one parser, from the queue to the receipt."""

from __future__ import annotations

from typing import Any

from casparian_flow.core.jobs import JobPhase, JobState
from casparian_flow.operations.limits import PageSize
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListJobs(Request, frozen=True, kw_only=True):
    """Which jobs; what is not given does not restrict. `after` is the cursor of the page before."""

    states: tuple[JobState, ...] = ()
    parser: str | None = None
    file: str | None = None
    since: str | None = None
    tag: str | None = None
    dead: bool = False
    """Only dead letters: given up after their last retry, their bytes not tried again since."""
    limit: PageSize = 100
    after: str | None = None


class JobEntry(Reply, frozen=True, kw_only=True):
    """One job. `accepted`, `quarantined` and `purged` are the rows that it brought when it was recorded.

    `purged` were rejected and are erased for good since. While a worker has it, `phase` is what that does, and
    `rows_read` and `bytes_read` are how far it is. `version` names what the job is now: a change may be asked for under
    the condition that it still is. So many of its rows were `carried` over from the job that read the file before;
    `bytes_read` of `size` are those beside them.
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
    size: int
    carried: int
    accepted: int
    quarantined: int
    error: str | None
    message: str | None
    queued: str
    started: str | None
    finished: str | None
    purged: int = 0


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
    purged: int = 0


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


OPERATIONS = (
    Operation("jobs.list", ListJobs, JobList, Effect.READ, "job.jobs.list_", "Jobs, newest first."),
    Operation(
        "jobs.receipt", ShowReceipt, JobReceipt, Effect.READ, "job.jobs.receipt", "The receipt of one job, whole."
    ),
    Operation(
        "jobs.show",
        ShowJob,
        JobDetail,
        Effect.READ,
        "job.jobs.show",
        "Everything known about one job.",
        version_at="job.version",
    ),
)
