"""How far the open jobs are, or one of them: asked again and again by whoever watches."""

from __future__ import annotations

from casparian_flow.operations.job.jobs import JobEntry
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class WatchJobs(Request, frozen=True, kw_only=True):
    """One job, else every job from the oldest open one on; `oldest` of an earlier answer keeps watching the same."""

    job: str | None = None
    oldest: str | None = None


class JobsProgress(Reply, frozen=True, kw_only=True):
    """How far they are. `states` counts them, also those that ended meanwhile; `at_work` are some that run now.

    `oldest` is null while there is nothing to watch.
    """

    oldest: str | None
    is_over: bool
    states: dict[str, int]
    rows_read: int
    bytes_read: int
    at_work: list[JobEntry]


OPERATIONS = (
    Operation("jobs.watch", WatchJobs, JobsProgress, Effect.READ, "job.progress.watch", "How far the open jobs are."),
)
