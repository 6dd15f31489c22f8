"""Having the same done again, and sooner or later: retries and priorities."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from casparian_flow.core.jobs import JobState
from casparian_flow.operations.job.cancel import MOST
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class Retried(StrEnum):
    """What a retry came to."""

    QUEUED = "queued"
    """A new job does the same again."""
    HURRIED = "hurried"
    """It waits no longer after its failure, and has its turn at once."""
    REFUSED = "refused"


class RetryJobs(Request, frozen=True, kw_only=True):
    """The jobs to have done again, named as in `ShowJob`.

    With `wait` the answer comes when the new jobs are over; without a service they are done at once and in any case.
    `if_version`, for one job, is the `version` under which the asker saw it: if it moved since, nothing is done.
    """

    jobs: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    wait: bool = False
    if_version: str | None = None


class JobRetried(Reply, frozen=True, kw_only=True):
    """What became of one job: `now` is the job that does the same again, with the state that it has by now."""

    job: str
    outcome: Retried
    now: str | None
    state: JobState
    says: str


class RetryReply(Reply, frozen=True, kw_only=True):
    """What became of each job, in the order asked for."""

    retried: list[JobRetried]


class PrioritiseJob(Request, frozen=True, kw_only=True):
    """A queued job, and its new priority: among those that are due the highest has its turn first."""

    job: str
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)]
    if_version: str | None = None


class JobPrioritised(Reply, frozen=True, kw_only=True):
    """A job's priority. It did not change if the job was `is_queued` no more."""

    job: str
    state: JobState
    priority: int
    is_queued: bool


OPERATIONS = (
    Operation(
        "jobs.priority",
        PrioritiseJob,
        JobPrioritised,
        Effect.EXECUTE,
        "job.retry.prioritise",
        "Let a queued job have its turn sooner or later.",
    ),
    Operation(
        "jobs.retry",
        RetryJobs,
        RetryReply,
        Effect.EXECUTE,
        "job.retry.retry",
        "Do the same again for jobs that failed, were aborted or rejected.",
    ),
)
