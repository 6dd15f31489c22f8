"""How what `operations.job.cancel` names is done."""

from __future__ import annotations

import time

from sqlalchemy import RowMapping

from casparian_flow.core.errors import UsageError, VersionChanged
from casparian_flow.core.jobs import FINAL_STATES, Cancelled, JobState, version_of
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.job.jobs import one_job
from casparian_flow.operations.job.cancel import CancelJobs, CancelReply, JobCancelled

SAYS = {
    Cancelled.ABORTED: "nothing of it runs, and nothing of it was kept",
    Cancelled.STOPPING: "it will not commit; its worker has not confirmed yet that its process is dead",
    Cancelled.TOO_LATE: "it was committing already, and its rows become visible",
    Cancelled.OVER: "it was over before",
}


def cancel(acting: Acting, request: CancelJobs) -> CancelReply:
    """Cancel jobs; raises NotFound before anything is done if one is unknown, and VersionChanged."""
    rows = named_jobs(acting, request.jobs, request.if_version)
    if request.dry_run:
        return CancelReply(cancelled=[_foreseen(row) for row in rows])
    deadline = time.monotonic() + request.wait_seconds
    # All are stopped before the first is waited for.
    found = {int(row["id"]): _cancel(acting, int(row["id"]), JobState(row["state"]), 0.0) for row in rows}
    for number, (outcome, state) in found.items():
        if outcome is Cancelled.STOPPING and (left := deadline - time.monotonic()) > 0:
            found[number] = _cancel(acting, number, state, left)
    return CancelReply(
        cancelled=[
            JobCancelled(job=str(number), outcome=outcome, state=state, says=SAYS[outcome])
            for number, (outcome, state) in found.items()
        ]
    )


def _foreseen(row: RowMapping) -> JobCancelled:
    """What cancelling the job would come to, as it stands now."""
    state = JobState(row["state"])
    if state in FINAL_STATES:
        outcome = Cancelled.OVER
    elif state is JobState.COMMITTING:
        outcome = Cancelled.TOO_LATE
    else:
        outcome = Cancelled.ABORTED if state is JobState.QUEUED else Cancelled.STOPPING
    return JobCancelled(job=str(row["id"]), outcome=outcome, state=state, says=f"if cancelled now: {SAYS[outcome]}")


def _cancel(acting: Acting, job: int, seen: JobState, wait_seconds: float) -> tuple[Cancelled, JobState]:
    """Which side won, and the job's state now; what was `seen` to be over is not asked for."""
    if seen in FINAL_STATES:
        return Cancelled.OVER, seen
    outcome = acting.execution.cancel(job, wait_seconds)
    if outcome.is_cancelled:
        return (Cancelled.ABORTED if outcome.state is JobState.ABORTED else Cancelled.STOPPING), outcome.state
    return (Cancelled.TOO_LATE if outcome.state is JobState.COMMITTING else Cancelled.OVER), outcome.state


def named_jobs(acting: Acting, names: tuple[str, ...], if_version: str | None) -> list[RowMapping]:
    """The jobs that are meant, each once, in their order; raises NotFound, UsageError, VersionChanged."""
    if if_version is not None and len(names) != 1:
        raise UsageError("a version is that of one job", why=f"{len(names)} jobs were named")
    with acting.database.transaction() as connection:
        rows = {row["id"]: row for row in (one_job(connection, name) for name in names)}
    for row in rows.values():
        now = version_of(row["attempt"], JobState(row["state"]), is_cancelled=row["cancel_requested"])
        if if_version not in (None, now):
            raise VersionChanged(f"job {row['id']} is not in the state that you saw", why=f"{if_version}, now {now}")
    return list(rows.values())
