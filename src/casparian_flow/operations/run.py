"""Runs: a directory becomes tables."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence

from casparian_flow.core.errors import OutputExists, UsageError, VerificationFailed
from casparian_flow.core.ids import new_time_ordered_id
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import Role, SinkMode
from casparian_flow.operations.context import Acting
from casparian_flow.operations.plan import MakePlan, Prepared, prepare, prepare_saved
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.protocol.messages import Limits
from casparian_flow.sentinel.catalog import apply_declared
from casparian_flow.sentinel.drive import drive
from casparian_flow.sentinel.orders import Dispatcher
from casparian_flow.sentinel.planner import Decision
from casparian_flow.sentinel.service import Policy, Sentinel
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store

DAY_NS = 86_400 * 1_000_000_000
FIRST_CONTRACTS = ("adopt", "hold")


class RunFiles(Request, frozen=True, kw_only=True):
    """What to run: a selection with its options, or a saved plan as it is."""

    selection: MakePlan = MakePlan()
    plan: str | None = None
    workers: int | None = None
    job_seconds: float | None = None
    tolerance: float | None = None
    first_contract: str | None = None


class TableResult(Reply, frozen=True, kw_only=True):
    """What this run brought to one table."""

    table: str
    contract: int
    files: int
    accepted: int
    quarantined: int
    is_new: bool


class FailedFile(Reply, frozen=True, kw_only=True):
    """A file whose job did not land, and why."""

    path: str
    job: str
    state: str
    code: str
    message: str
    why: str


class Waiting(Reply, frozen=True, kw_only=True):
    """A proposed contract that a person must decide."""

    table: str
    contract: int


class RunReply(Reply, frozen=True, kw_only=True):
    """What the run did. `outcome` is completed, quarantined, failed_files, or approval."""

    plan: str
    outcome: str
    files: int
    run: int
    skipped: dict[str, int]
    completed: int
    failed: int
    aborted: int
    accepted: int
    quarantined: int
    rescued: int
    tables: list[TableResult]
    failures: list[FailedFile]
    unreadable: list[str]
    problems: int
    warnings: list[str]
    waiting: list[Waiting]
    open_quarantine: int
    gave_up: int
    recovered: int
    sink: str
    seconds: float


def run(acting: Acting, request: RunFiles) -> RunReply:
    """Plan, parse, commit. One bad file never stops the others; what happened to each is in the store."""
    began = time.monotonic()
    policy = _policy(acting, request)
    prepared = prepare(acting, request.selection) if request.plan is None else prepare_saved(acting, request.plan)
    if (trouble := acting.recovered.troubles.get(prepared.target.uri)) is not None:
        raise trouble  # its state is not known until what was permitted there is visible
    acting.open_sink(prepared.target.uri).check()
    _refuse_lost(acting, prepared.target.uri)
    _refuse_existing(acting, prepared)
    sentinel = _sentinel(acting, prepared, request, policy)
    jobs = _enqueue(acting, prepared, sentinel)
    if jobs:
        with acting.workers(_workers(acting, request)) as pool:
            drive(sentinel, pool, acting.clock)
    sentinel.finish(_present_hashes(prepared), acting.clock())
    shutil.rmtree(acting.home.staging, ignore_errors=True)
    reply = _reply(acting, prepared, sentinel, jobs, time.monotonic() - began)
    acting.report("run.finished", {"outcome": reply.outcome})
    return reply


def _policy(acting: Acting, request: RunFiles) -> Policy:
    governance = acting.settings.governance
    first = request.first_contract or governance.first_contract
    if first not in FIRST_CONTRACTS:
        raise UsageError(f"first contract is {' or '.join(FIRST_CONTRACTS)}, not {first}")
    tolerance = governance.tolerance if request.tolerance is None else request.tolerance
    return Policy(
        holds_first_contracts=first == "hold",
        tolerance=tolerance,
        back_off_seconds=acting.settings.run.retry_seconds,
    )


def _present_hashes(prepared: Prepared) -> set[str]:
    """The bytes of the selected files that are there: what a replacement keeps where it brings nothing newer."""
    files = (decision.file for decision in prepared.plan.decisions if decision.file.is_selected)
    return {file.source_hash for file in files if file.source_hash is not None and not file.is_missing}


def _sentinel(acting: Acting, prepared: Prepared, request: RunFiles, policy: Policy) -> Sentinel:
    asked = {
        (each.parser.id, each.base_table): (each.parser, each.base_table) for each in prepared.plan.runs if each.parser
    }
    apply_declared(acting.database, prepared.catalog, asked.values(), acting.clock())
    limits = Limits(
        job_seconds=request.job_seconds or acting.settings.run.job_seconds,
        memory_bytes=acting.settings.run.memory_mb << 20,
    )
    dispatcher = Dispatcher(
        acting.database,
        prepared.catalog.registered,
        str(acting.home.staging),
        limits,
        _workers(acting, request),
    )
    return Sentinel(acting.database, dispatcher, acting.open_sink, policy, acting.report)


def _workers(acting: Acting, request: RunFiles) -> int:
    """How many workers; 0 in the settings means one per core."""
    return request.workers or acting.settings.run.workers or len(os.sched_getaffinity(0))


def _refuse_lost(acting: Acting, uri: str) -> None:
    """Refuse a target whose log ends before what was committed there: nothing that follows would become visible."""
    sink = acting.open_sink(uri)
    with acting.database.transaction() as connection:
        last = output_store.last_recorded(connection, uri)
    for row in last:
        if not sink.has_entry(row.table_name, Role(row.role), row.seq):
            raise VerificationFailed(
                f"table {row.table_name} has lost commits",
                where=uri,
                why=f"entry {row.seq} of its log is not there: the folder was removed, emptied or replaced",
                fix="bring the folder back, or choose another target with --sink",
            )


def _refuse_existing(acting: Acting, prepared: Prepared) -> None:
    """In mode `error`, refuse at plan time what the commit would refuse anyway."""
    if prepared.target.mode is not SinkMode.ERROR:
        return
    tables = {
        table
        for each in prepared.plan.runs
        if each.parser
        for table in ([each.parser.table_of(o, each.base_table) for o in each.parser.outputs] or [each.base_table])
    }
    with acting.database.transaction() as connection:
        for table in sorted(tables):
            if output_store.current_in_table(connection, prepared.target.uri, table):
                raise OutputExists(f"table {table} already has rows", where=prepared.target.uri)


def _enqueue(acting: Acting, prepared: Prepared, sentinel: Sentinel) -> dict[int, Decision]:
    """Queue one job per file to run; the decision behind each."""
    now = acting.clock()
    config = json.dumps(prepared.options, sort_keys=True)
    jobs: dict[int, Decision] = {}
    rows = []
    for decision in prepared.plan.runs:
        assert decision.parser is not None
        job = new_time_ordered_id(now)
        while job in jobs:
            job = new_time_ordered_id(now)
        jobs[job] = decision
        rows.append(
            {
                "id": job,
                "plan_id": prepared.id,
                "location_id": decision.file.location,
                "version_id": decision.file.version,
                "source_hash": decision.file.source_hash,
                "parser_id": decision.parser.id,
                "reason": decision.reason,
                "config": config,
                "config_hash": prepared.plan.config_hash,
                "sink_uri": prepared.target.uri,
                "sink_mode": prepared.target.mode,
                "base_table": decision.base_table,
                "state": JobState.QUEUED,
                "attempt": 0,
                "priority": _priority(now - decision.file.mtime_ns),
                "queued_at_ns": now,
            }
        )
    with acting.database.transaction() as connection:
        job_store.enqueue(connection, rows)
    for job, decision in jobs.items():
        sentinel.expect(job, _scope(decision))
    acting.report("jobs.queued", {"total": len(jobs)})
    return jobs


def _scope(decision: Decision) -> str:
    """Files that may found the same tables: of one base name, or of one parser that names its tables itself."""
    assert decision.parser is not None
    return f"file {decision.base_table}" if decision.parser.tables == "file" else f"parser {decision.parser.id}"


def _priority(age_ns: int) -> int:
    """Changed within a day 100, a week 50, else 10."""
    return 100 if age_ns < DAY_NS else 50 if age_ns < 7 * DAY_NS else 10


def _reply(
    acting: Acting, prepared: Prepared, sentinel: Sentinel, jobs: dict[int, Decision], seconds: float
) -> RunReply:
    selected = [decision for decision in prepared.plan.decisions if decision.file.is_selected]
    skipped = Counter(str(decision.reason) for decision in selected if decision.action == "skip")
    with acting.database.transaction() as connection:
        ended = job_store.not_landed(connection, prepared.id)
        tables = output_store.brought_by_plan(connection, prepared.id)
        quarantine = output_store.open_quarantine(connection)
        proposals = contract_store.proposed(connection)
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
        if row.state in (JobState.FAILED, JobState.ABORTED, JobState.COMMITTING)
    ]
    waited_for = {
        table for row in ended if row.state == JobState.REJECTED for table in (row.error_message or "").split()
    }
    waiting = [Waiting(table=table, contract=proposals[table]) for table in sorted(waited_for & proposals.keys())]
    unreadable = [decision.file.display for decision in selected if decision.file.is_unreadable]
    totals = sentinel.totals
    return RunReply(
        plan=str(prepared.id),
        outcome=_outcome(waiting, failures, unreadable, totals.quarantined),
        files=len(selected),
        run=len(jobs),
        skipped=dict(skipped.most_common()),
        completed=totals.completed,
        failed=totals.failed,
        aborted=totals.aborted,
        accepted=totals.accepted,
        quarantined=totals.quarantined,
        rescued=totals.rescued,
        tables=[
            TableResult(
                table=row.table_name,
                contract=row.contract_version,
                files=row.files,
                accepted=row.accepted,
                quarantined=row.quarantined,
                is_new=row.table_name in sentinel.adopted,
            )
            for row in tables
        ],
        failures=failures,
        unreadable=unreadable,
        problems=sum(scan.problems for scan in prepared.discovered.scans),
        warnings=list(prepared.discovered.warnings),
        waiting=waiting,
        open_quarantine=quarantine,
        gave_up=skipped.get("gave_up", 0),
        recovered=acting.recovered.rolled_forward,
        sink=prepared.target.uri,
        seconds=seconds,
    )


def _outcome(
    waiting: Sequence[Waiting], failures: Sequence[FailedFile], unreadable: Sequence[str], quarantined: int
) -> str:
    if waiting:
        return "approval"
    if failures or unreadable:
        return "failed_files"
    return "quarantined" if quarantined else "completed"


OPERATIONS = (Operation("run", RunFiles, RunReply, Effect.EXECUTE, run, "Turn files into tables."),)
