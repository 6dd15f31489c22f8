"""How what `operations.run.reply` names is done."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.jobs import PAUSED, JobState
from casparian_flow.core.proposal_bodies import body_of
from casparian_flow.core.proposal_text import unit, what
from casparian_flow.core.proposals import Kind, Origin, State, label
from casparian_flow.core.reasons import SkipReason
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.contract.contracts import note_with_file
from casparian_flow.operations.doing.contract.evolving import Evolved
from casparian_flow.operations.doing.run.evolved_rows import applied_changes, rows_since
from casparian_flow.operations.doing.run.moving import moved
from casparian_flow.operations.doing.run.plan import Prepared
from casparian_flow.operations.rehearsal.replay import ReplayReply
from casparian_flow.operations.run.next_step import after_run
from casparian_flow.operations.run.reply import (
    ColumnNote,
    Drafted,
    EmptiedSource,
    FailedFile,
    RetiredRows,
    RunReply,
    TableResult,
    Waiting,
    WaitingPurge,
)
from casparian_flow.schema.notes import BUT_FOR, NO_VALUES
from casparian_flow.sentinel.planning.planner import Decision
from casparian_flow.sentinel.queue.attempts import AWAITING_APPROVAL
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import runs as run_store
from casparian_flow.store.emptied import held
from casparian_flow.store.engine import AnyRow, open_read_only
from casparian_flow.store.replays import Expected
from casparian_flow.store.tombstones import retired_since
from casparian_flow.store.views import quarantine as quarantine_view
from casparian_flow.store.views.proposals import list_proposals

EMPTY = "empty"
FIRST_UNREAD = 20
NO_ROWS = Expected(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run went: what came of the changes that its files asked for (`evolved`), and which replays came before."""

    jobs: Mapping[int, Decision]
    """The decisions behind the jobs that were queued, at `began_ns`."""
    began_ns: int
    resumed: Sequence[ReplayReply]
    evolved: Evolved
    seconds: float


def reply_of(acting: Acting, prepared: Prepared, course: Course) -> RunReply:
    """What became of the plan's files."""
    jobs, evolved = course.jobs, course.evolved
    selected = [decision for decision in prepared.plan.decisions if decision.file.is_selected]
    skipped = Counter(str(decision.reason) for decision in selected if decision.action == "skip")
    with acting.database.transaction() as connection:
        ended = job_store.not_landed(connection, prepared.id)
        tables = output_store.brought_by_plan(connection, prepared.id)
        proposals = contract_store.proposed(connection)
        totals = run_store.totals(connection, prepared.id)
        drafted = _drafted(connection, evolved.plans)
        applied = applied_changes(connection, acting, evolved.changes)
        since = rows_since(connection, jobs, evolved.changes)
        read_again = {
            row.table_name for plan in evolved.plans[1:] for row in output_store.brought_by_plan(connection, plan)
        }
    # Nobody waits for these to be counted: what is asked of all history is not asked in a transaction that may write.
    with open_read_only(acting.home.state) as connection:
        quarantine = quarantine_view.open_rows(connection)
        notes = _notes(connection, totals.founded)
        emptied = [_emptied(row) for row in held(connection)]
        purges = _purges(connection)
        retired = _retired(connection, course.began_ns)
    first_held = next((each for each in selected if each.reason is SkipReason.HELD_BY_POLICY), None)
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
    quarantined = totals.quarantined + sum(rows.quarantined for rows in since.values())
    reply = RunReply(
        plan=str(prepared.id),
        outcome=_outcome(waiting, failures, unreadable, quarantined),
        files=len(selected),
        run=len(jobs),
        skipped=dict(skipped.most_common()),
        completed=totals.states.get(JobState.COMPLETED, 0),
        # One that could not be promoted counts as failed until it is.
        failed=totals.states.get(JobState.FAILED, 0) + totals.states.get(JobState.COMMITTING, 0),
        aborted=totals.states.get(JobState.ABORTED, 0),
        accepted=totals.accepted + sum(rows.accepted for rows in since.values()),
        quarantined=quarantined,
        rescued=sum(totals.rescued.values()),
        tables=[
            TableResult(
                table=row.table_name,
                contract=row.contract_version,
                files=row.files,
                accepted=row.accepted + since.get(row.table_name, NO_ROWS).accepted,
                quarantined=row.quarantined + since.get(row.table_name, NO_ROWS).quarantined,
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
        warnings=[*prepared.discovered.warnings, *evolved.notes],
        waiting=waiting,
        drafted=drafted,
        applied=applied,
        emptied=emptied,
        purges=purges,
        open_quarantine=quarantine,
        gave_up=skipped.get("gave_up", 0),
        held=None if first_held is None else first_held.file.display,
        held_why=None if first_held is None else first_held.detail,
        retired=retired,
        moved=moved(
            prepared.leaving, (jobs[number].file.location for number in jobs.keys() - {row.id for row in ended})
        ),
        unread=[each.file.display for each in selected if is_unread(each)][:FIRST_UNREAD],
        recovered=acting.recovered.rolled_forward,
        resumed=list(course.resumed),
        sinks=list(prepared.plan.routes.sinks),
        seconds=course.seconds,
        next="",
    )
    return msgspec.structs.replace(reply, next=after_run(reply, read_again))


def is_unread(decision: Decision) -> bool:
    """Whether a file holds something that no parser reads."""
    return decision.reason is SkipReason.NO_PARSER and decision.file.content != EMPTY


def _drafted(connection: Connection, plans: Sequence[int]) -> list[Drafted]:
    """What drift asks for, most rows first."""
    rows = [row for row in proposal_store.touched(connection, plans) if row.origin == Origin.SYSTEM and row.table_name]
    rows.sort(key=lambda row: (-row.evidence_rows, row.id))
    return [
        Drafted(
            proposal=label(Kind(row.kind), row.id),
            table=row.table_name,
            what=what(body_of(row.body)),
            state=row.state,
            rows=row.evidence_rows,
            unit=unit(body_of(row.body)),
            files=row.evidence_files,
        )
        for row in rows
    ]


def _emptied(row: AnyRow) -> EmptiedSource:
    named = shlex.quote(row.name or str(row.id))
    return EmptiedSource(
        source=row.id,
        name=row.name,
        root=row.display,
        policy=WhenMissing(row.when_missing),
        files=row.files,
        command=f"casparian source policy {named} {row.when_missing} --even-if-empty",
    )


def _retired(connection: Connection, since_ns: int) -> list[RetiredRows]:
    """What went out of each table since then."""
    found: dict[str, list[int]] = {}
    for row in retired_since(connection, since_ns):
        found.setdefault(row.table_name, []).append(row.rows)
    return [RetiredRows(table=table, rows=sum(rows), files=len(rows)) for table, rows in found.items()]


def _purges(connection: Connection) -> list[WaitingPurge]:
    """The purges that nobody decided on yet, the newest first."""
    return [
        WaitingPurge(proposal=label(Kind.PURGE, row["id"]), rows=row["evidence_rows"], files=row["evidence_files"])
        for row in list_proposals(connection, kind=Kind.PURGE, states=[State.PROPOSED])
    ]


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
