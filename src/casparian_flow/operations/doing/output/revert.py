"""How what `operations.output.revert` names is done."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.errors import PlanStale, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.output.lost_commits import refuse_lost_commits
from casparian_flow.operations.doing.output.placement import sink_of
from casparian_flow.operations.output.revert import PlanRevert, Reverted, RevertOutput, RevertPlan
from casparian_flow.sentinel.commit.rolling import roll_forward
from casparian_flow.sentinel.history.erased import refuse_erased
from casparian_flow.sentinel.history.reversal import Reversal, permit_reversal, plan_reversal
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.uri import open_sink

MAX_REASON = 1000


def plan(reading: Reading, request: PlanRevert) -> RevertPlan:
    """What a revert would do; raises as `sentinel.reversal.plan_reversal` does, and for damaged files."""
    sink = sink_of(reading.connection, reading.home, reading.cwd, request.table, request.sink)
    reversal = plan_reversal(reading.connection, sink, request.table, request.snapshot)
    _refuse_damaged(reading.connection, open_sink(sink), reversal)
    return _plan(reversal)


def revert(acting: Acting, request: RevertOutput) -> Reverted:
    """Take the table back, by one more commit; raises PlanStale if it moved since `newest`.

    Once it is permitted it only rolls forward: if the sink fails, the next command that writes finishes it.
    """
    now = acting.clock()
    reason = request.reason.strip()[:MAX_REASON]
    with acting.database.transaction() as connection:
        sink = sink_of(connection, acting.home, acting.cwd, request.table, request.sink)
        reversal = plan_reversal(connection, sink, request.table, request.snapshot)
        if request.newest is not None and request.newest != reversal.newest:
            raise PlanStale(
                f"{request.table} is at snapshot {reversal.newest} now, not {request.newest}",
                fix=f"casparian output history {request.table}",
            )
        _refuse_damaged(connection, acting.open_sink(sink), reversal)
        made = permit_reversal(connection, reversal, acting.actor, reason, now)
    rolled = roll_forward(acting.database, acting.open_sink, now, jobs=False)
    if trouble := rolled.troubles.get(sink):
        raise trouble
    return Reverted(plan=_plan(reversal), made=made, by=acting.actor, reason=reason)


def _refuse_damaged(connection: Connection, sink: Sink, reversal: Reversal) -> None:
    """Refuse what could be permitted but never be written: the target lost its log, or files that come back."""
    refuse_lost_commits(connection, sink, reversal.table)
    for role, seq in reversal.seqs.items():
        refuse_erased(connection, reversal.sink, reversal.table, role, seq)
        for path in sink.snapshot(reversal.table, role, seq).files if seq else ():
            if not Path(path).exists():
                raise VerificationFailed(
                    f"the rows of {reversal.table} at snapshot {reversal.to} are not all there any more",
                    where=path,
                    why="a file that a commit names is missing",
                    fix="bring the file back, or choose another snapshot",
                )


def _plan(reversal: Reversal) -> RevertPlan:
    accepted, quarantined = reversal.changes[Role.ACCEPTED], reversal.changes[Role.QUARANTINE]
    return RevertPlan(
        table=reversal.table,
        sink=reversal.sink,
        snapshot=reversal.to,
        newest=reversal.newest,
        rows_before=accepted.before,
        rows_after=accepted.after,
        rows_out=accepted.rows_out,
        rows_back=accepted.rows_back,
        quarantined_before=quarantined.before,
        quarantined_after=quarantined.after,
        jobs_out=[str(job) for job in sorted(reversal.jobs_out)],
        jobs_back=[str(job) for job in sorted(reversal.jobs_back)],
        held=reversal.held,
    )
