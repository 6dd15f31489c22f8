"""How what `operations.job.progress` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import UsageError
from casparian_flow.core.jobs import FINAL_STATES, HELD_STATES, JobState
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.job.jobs import entry_of, one_job
from casparian_flow.operations.doing.job.numbered import is_number
from casparian_flow.operations.job.jobs import JobEntry
from casparian_flow.operations.job.progress import JobsProgress, WatchJobs
from casparian_flow.store.views import jobs as view

MOST_SHOWN = 20
"""Jobs at work that are shown one by one."""

NEWEST = (1 << 63) - 1


def watch(reading: Reading, request: WatchJobs) -> JobsProgress:
    """How far the jobs are right now; raises NotFound."""
    if request.job is not None:
        return _one(entry_of(one_job(reading.connection, request.job)))
    oldest = _oldest(reading, request.oldest)
    if oldest is None:
        return JobsProgress(oldest=None, is_over=True, states={}, rows_read=0, bytes_read=0, at_work=[])
    found = view.progress(reading.connection, oldest, NEWEST)
    states = {str(row["state"]): int(row["jobs"]) for row in found}
    held = view.JobFilter(states=tuple(sorted(HELD_STATES)), oldest=oldest)
    return JobsProgress(
        oldest=str(oldest),
        is_over=all(state in FINAL_STATES for state in states),
        states={state.value: states[state] for state in JobState if state in states},
        rows_read=sum(row["rows_read"] for row in found),
        bytes_read=sum(row["bytes_read"] for row in found),
        at_work=[entry_of(row) for row in view.list_jobs(reading.connection, held, before=None, limit=MOST_SHOWN)],
    )


def _one(job: JobEntry) -> JobsProgress:
    return JobsProgress(
        oldest=job.job,
        is_over=job.state in FINAL_STATES,
        states={job.state.value: 1},
        rows_read=job.rows_read,
        bytes_read=job.bytes_read,
        at_work=[job] if job.state in HELD_STATES else [],
    )


def _oldest(reading: Reading, named: str | None) -> int | None:
    if named is None:
        return view.oldest_open(reading.connection)
    if not is_number(named):
        raise UsageError("the oldest job is not one that an answer gave out")
    return int(named)
