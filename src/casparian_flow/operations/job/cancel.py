"""Cancelling jobs: each answer says truthfully which side won."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.core.jobs import Cancelled, JobState
from casparian_flow.operations.registry import Effect, Operation, Reply, Request

MOST = 10_000


class CancelJobs(Request, frozen=True, kw_only=True):
    """The jobs to cancel, named as in `ShowJob`, and how long to wait altogether until their processes are dead.

    `if_version`, for one job, is the `version` under which the asker saw it: if it moved since, nothing is done. With
    `dry_run` the answer is what it would be, as the jobs stand now, and nothing is done either.
    """

    jobs: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    if_version: str | None = None
    dry_run: bool = False


class JobCancelled(Reply, frozen=True, kw_only=True):
    """Which side won, and the state that the job has now.

    `aborted`: nothing of it runs. `stopping`: it will not commit, its process is not confirmed dead yet. `too-late`: it
    was committing already. `already-over`: it had ended before.
    """

    job: str
    outcome: Cancelled
    state: JobState
    says: str


class CancelReply(Reply, frozen=True, kw_only=True):
    """What became of each job, in the order asked for."""

    cancelled: list[JobCancelled]


OPERATIONS = (
    Operation(
        "jobs.cancel", CancelJobs, CancelReply, Effect.EXECUTE, "job.cancel.cancel", "Stop jobs before they commit."
    ),
)
