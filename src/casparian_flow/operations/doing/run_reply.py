"""How what `operations.run_reply` names is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from casparian_flow.core.jobs import PAUSED, JobState
from casparian_flow.core.reasons import SkipReason
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.contract import note_with_file
from casparian_flow.operations.doing.plan import Prepared
from casparian_flow.operations.run_reply import ColumnNote, FailedFile, RunReply, TableResult, Waiting
from casparian_flow.schema.notes import BUT_FOR, NO_VALUES
from casparian_flow.sentinel.attempts import AWAITING_APPROVAL
from casparian_flow.sentinel.planner import Decision
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store import runs as run_store
from casparian_flow.store.engine import open_read_only
from casparian_flow.store.views import quarantine as quarantine_view


def reply_of(acting: Acting, prepared: Prepared, jobs: Mapping[int, Decision], seconds: float) -> RunReply:
    """What became of the plan's files; `jobs` are the decisions behind the jobs that were queued."""
    selected = [decision for decision in prepared.plan.decisions if decision.file.is_selected]
    skipped = Counter(str(decision.reason) for decision in selected if decision.action == "skip")
    with acting.database.transaction() as connection:
        ended = job_store.not_landed(connection, prepared.id)
        tables = output_store.brought_by_plan(connection, prepared.id)
        proposals = contract_store.proposed(connection)
        totals = run_store.totals(connection, prepared.id)
    # Nobody waits for these to be counted: what is asked of all history is not asked in a transaction that may write.
    with open_read_only(acting.home.state) as connection:
        quarantine = quarantine_view.open_rows(connection)
        notes = _notes(connection, totals.founded)
    failures = [
        FailedFile(
            path=jobs[row.id].file.display,
            job=str(row.id),
            state=row.state,
            code=row.error_code or "",
            message=row.error_message or "",
            why=(row.error_why or "").strip().rpartition("\n")[2],
        )
        for row in ended
        if row.state in (JobState.FAILED, JobState.ABORTED, JobState.COMMITTING) or row.error_code == PAUSED
    ]
    waited_for = {
        table for row in ended if row.error_code == AWAITING_APPROVAL for table in (row.error_message or "").split()
    }
    waiting = [Waiting(table=table, contract=proposals[table]) for table in sorted(waited_for & proposals.keys())]
    unreadable = [decision.file.display for decision in selected if decision.file.is_unreadable]
    return RunReply(
        plan=str(prepared.id),
        outcome=_outcome(waiting, failures, unreadable, totals.quarantined),
        files=len(selected),
        run=len(jobs),
        skipped=dict(skipped.most_common()),
        completed=totals.states.get(JobState.COMPLETED, 0),
        # One that could not be promoted counts as failed until it is.
        failed=totals.states.get(JobState.FAILED, 0) + totals.states.get(JobState.COMMITTING, 0),
        aborted=totals.states.get(JobState.ABORTED, 0),
        accepted=totals.accepted,
        quarantined=totals.quarantined,
        rescued=sum(totals.rescued.values()),
        tables=[
            TableResult(
                table=row.table_name,
                contract=row.contract_version,
                files=row.files,
                accepted=row.accepted,
                quarantined=row.quarantined,
                rescued=totals.rescued.get(row.table_name, 0),
                is_new=row.table_name in totals.founded,
                sinks=[target.uri for target in prepared.plan.routes.targets_of(row.table_name)],
            )
            for row in tables
        ],
        notes=notes,
        failures=failures,
        unreadable=unreadable,
        problems=sum(scan.problems for scan in prepared.discovered.scans),
        warnings=list(prepared.discovered.warnings),
        waiting=waiting,
        open_quarantine=quarantine,
        gave_up=skipped.get("gave_up", 0),
        held=next((each.file.display for each in selected if each.reason is SkipReason.HELD_BY_POLICY), None),
        recovered=acting.recovered.rolled_forward,
        sinks=list(prepared.plan.routes.sinks),
        seconds=seconds,
    )


def _notes(connection: Connection, tables: frozenset[str]) -> list[ColumnNote]:
    """What is worth a look first: the few values for which a column is text. That one is empty is not."""
    contracts = contract_store.in_force(connection) if tables else {}
    noted = [
        (table, column)
        for table in sorted(tables & contracts.keys())
        for column in contracts[table].columns
        if column.note not in ("", NO_VALUES)
    ]
    noted.sort(key=lambda each: BUT_FOR not in each[1].note)
    return [
        ColumnNote(table=table, column=column.name, note=note_with_file(connection, column)) for table, column in noted
    ]


def _outcome(
    waiting: Sequence[Waiting], failures: Sequence[FailedFile], unreadable: Sequence[str], quarantined: int
) -> str:
    if waiting:
        return "approval"
    if unreadable or any(each.state != JobState.ABORTED for each in failures):
        return "failed_files"
    if failures:
        return "aborted"
    return "quarantined" if quarantined else "completed"
