"""How what `operations.job.revert` names is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import PlanStale, UsageError, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.job.jobs import one_job
from casparian_flow.operations.doing.output.lost_commits import refuse_lost_commits
from casparian_flow.operations.job.revert import JobReverted, JobRevertPlan, PlanJobRevert, RevertJob, TableRevert
from casparian_flow.sentinel.commit.rolling import roll_forward
from casparian_flow.sentinel.history.erased import refuse_erased_jobs
from casparian_flow.sentinel.history.job_reversal import TableReversal, permit_job_reversal, plan_job_reversal
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.uri import open_sink

MAX_REASON = 1000


def plan(reading: Reading, request: PlanJobRevert) -> JobRevertPlan:
    """What it would do; raises as `sentinel.job_reversal.plan_job_reversal` does, and for damaged files."""
    job = one_job(reading.connection, request.job)
    reversals = plan_job_reversal(reading.connection, int(job["id"]))
    _refuse_damaged(reading.connection, open_sink, reversals)
    return _plan(job, reversals)


def revert(acting: Acting, request: RevertJob) -> JobReverted:
    """Undo the job, by one more commit in each table; raises PlanStale if one of them moved since `newest`.

    Once it is permitted it only rolls forward: if a sink fails, the next command that writes finishes it.
    """
    now = acting.clock()
    reason = request.reason.strip()[:MAX_REASON]
    if not reason:
        raise UsageError("a revert is kept with its reason", fix="--reason 'why it was wrong'")
    with acting.database.transaction() as connection:
        job = one_job(connection, request.job)
        reversals = plan_job_reversal(connection, int(job["id"]))
        planned = _plan(job, reversals)
        if request.newest not in (None, planned.newest):
            raise PlanStale(
                f"a table of job {planned.job} is at snapshot {planned.newest} now, not {request.newest}",
                fix=f"casparian jobs revert {planned.job} --dry-run",
            )
        _refuse_damaged(connection, acting.open_sink, reversals)
        made = permit_job_reversal(connection, reversals, acting.actor, reason, now)
    rolled = roll_forward(acting.database, acting.open_sink, now, jobs=False)
    for reversal in reversals:
        if trouble := rolled.troubles.get(reversal.sink):
            raise trouble
    return JobReverted(plan=planned, made=made, by=acting.actor, reason=reason)


def _refuse_damaged(connection: Connection, opened: Callable[[str], Sink], reversals: Sequence[TableReversal]) -> None:
    """Refuse what could be permitted but never be written: a target lost its log, or files that come back."""
    for reversal in reversals:
        sink = opened(reversal.sink)
        refuse_lost_commits(connection, sink, reversal.table)
        refuse_erased_jobs(connection, reversal.sink, reversal.table, reversal.jobs_back)
        if isinstance(sink, FolderSink):
            for entry in reversal.entries:
                if lost := sink.lost_files(entry):
                    raise VerificationFailed(
                        f"rows of {reversal.table} that would come back are not all there any more",
                        where=lost[0],
                        why="a file that a commit names is missing",
                        fix=f"casparian output history {reversal.table}",
                    )


def _plan(job: RowMapping, reversals: Sequence[TableReversal]) -> JobRevertPlan:
    return JobRevertPlan(
        job=str(job["id"]),
        path=f"{job['source']}/{job['path']}",
        newest=max(each.newest for each in reversals),
        tables=[_table(each) for each in reversals],
    )


def _table(reversal: TableReversal) -> TableRevert:
    accepted, quarantined = reversal.changes[Role.ACCEPTED], reversal.changes[Role.QUARANTINE]
    return TableRevert(
        table=reversal.table,
        sink=reversal.sink,
        newest=reversal.newest,
        rows_before=accepted.before,
        rows_after=accepted.after,
        rows_out=accepted.rows_out,
        rows_back=accepted.rows_back,
        quarantined_before=quarantined.before,
        quarantined_after=quarantined.after,
        jobs_back=[str(job) for job in sorted(reversal.jobs_back)],
    )
