"""Reads bytes again that were read before: a canary first, the rest when it came out as expected."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.ids import new_time_ordered_id
from casparian_flow.core.jobs import FINAL_STATES, INTERRUPTED, JobState
from casparian_flow.core.keys import config_hash
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.proofs import Promise
from casparian_flow.core.reasons import RunReason
from casparian_flow.core.replays import ReplayKind, ReplayOutcome, ReplayStage
from casparian_flow.core.routes import Routes, routes_of
from casparian_flow.sentinel.planning.undone_files import undone_files
from casparian_flow.sentinel.runs import Policy
from casparian_flow.store import replays as replay_store
from casparian_flow.store import runs as run_store
from casparian_flow.store import standing as standing_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.job_changes import again
from casparian_flow.store.replays import Expected, NewFile, NewReplay
from casparian_flow.store.tombstones import trimmed_bytes

REASONS = {
    ReplayKind.AMENDMENT: RunReason.CONTRACT_CHANGED,
    ReplayKind.PARSER: RunReason.PARSER_CHANGED,
    ReplayKind.OPTION: RunReason.CONFIG_CHANGED,
    ReplayKind.REPAIR: RunReason.QUARANTINE_REOPENED,
    ReplayKind.MANUAL: RunReason.QUARANTINE_REOPENED,
}


def promised(table: str, promises: Iterable[Promise]) -> dict[int, Mapping[str, Expected] | None]:
    """The files of `begin` that a proposal promises to read again."""
    found: dict[int, dict[str, Expected]] = defaultdict(dict)
    for each in promises:
        found[each.job][each.table or table] = Expected(each.accepted, each.quarantined, each.row_digest)
    return dict(found)


Files = Mapping[int, Mapping[str, Expected] | None]
"""The jobs whose bytes are read again, in the order in which they are tried, and what each brings to every table.

An empty expectation: nobody has tried, and no accepted row may get lost. None: it comes out as it comes out.
"""


def begin(connection: Connection, replay: NewReplay, files: Files, now_ns: int) -> int | None:
    """Keep a replay and queue its canary, inside the caller's transaction; the plan of the run that reads it.

    The canary are the first of `files` for which a dry run has said what they bring, else the first of all. None, and
    nothing is kept, if no path carries any of these bytes any more, or a person took out what they all brought. After
    the transaction the caller hands the plan to `Execution.submit`.
    """
    wanted = _wanted(connection, files)
    readable = [file for file in wanted if file.outcome is None]
    if not readable:
        return None
    chosen = sorted(readable, key=lambda file: not file.expected)[: max(replay.canary, 1)]
    first = {file.version for file in chosen}
    wanted = [replace(file, is_canary=file.version in first) for file in wanted]
    number = replay_store.add(connection, replay, wanted, now_ns)
    row = replay_store.one(connection, number)
    assert row is not None
    return _queue(connection, row, {file.version: file.old_job for file in chosen}, now_ns)


def advance(connection: Connection, plan: int, now_ns: int) -> int | None:
    """What follows when a run is over, inside the transaction that ends it: the plan that goes on, if one does.

    When every file of a canary came out as expected the rest is queued, and the options of the replay stand from now
    on. When one did not, the replay is `stopped` and nothing more is queued.
    """
    replay = replay_store.of_plan(connection, plan)
    return None if replay is None else _go_on(connection, replay, now_ns)


def resume(connection: Connection, now_ns: int) -> list[int]:
    """Go on with the replays that a process left on their way when it ended; the plans that do."""
    plans = []
    for replay in replay_store.on_the_way(connection):
        run = run_store.run_of(connection, replay.plan_id)
        is_open = run is not None and run.finished_at_ns is None
        plan = replay.plan_id if is_open else _go_on(connection, replay, now_ns)
        if plan is not None:
            plans.append(plan)
    return plans


def _wanted(connection: Connection, files: Files) -> list[NewFile]:
    """One file of each version, read as by the newest of the jobs that are named for it."""
    carriers = replay_store.carriers(connection, files)
    jobs = replay_store.old_jobs(connection, files)
    trimmed = trimmed_bytes(connection)  # what was erased of them would be back
    undone = undone_files(connection, files)  # and so would what was reverted
    found: dict[int, NewFile] = {}
    for job in sorted(files, reverse=True):
        is_read = job in carriers and jobs[job].source_hash not in trimmed and job not in undone
        version = carriers[job].version if is_read else jobs[job].version_id
        outcome = None if is_read else ReplayOutcome.SKIPPED
        found.setdefault(version, NewFile(version=version, old_job=job, expected=files[job], outcome=outcome))
    order = {job: at for at, job in enumerate(files)}
    return sorted(found.values(), key=lambda file: order[file.old_job])


def _go_on(connection: Connection, replay: AnyRow, now_ns: int) -> int | None:
    """Judge what is over, and queue what is next; None if nothing is, or a job is still under way."""
    stage = ReplayStage(replay.stage)
    files = replay_store.files_of(connection, replay.id)
    due = [file for file in files if file.outcome is None and (file.is_canary or stage is ReplayStage.REST)]
    unread = [file for file in due if file.new_job is None or _is_interrupted(file)]
    over = [file for file in due if file not in unread]
    if any(file.state not in FINAL_STATES for file in over):
        return None
    outcomes, reasons = _judge(connection, over)
    undone = undone_files(connection, [file.old_job for file in unread]) if unread else {}  # while it was on its way
    outcomes |= {file.version_id: ReplayOutcome.SKIPPED for file in unread if file.old_job in undone}
    reasons += [f"{each.path}: {each.why}" for each in undone.values()]
    unread = [file for file in unread if file.old_job not in undone]
    for version, outcome in outcomes.items():
        replay_store.set_outcome(connection, replay.id, version, outcome)
    if unread:
        return _queue(connection, replay, {file.version_id: file.old_job for file in unread}, now_ns)
    became = {file.version_id: outcomes.get(file.version_id, file.outcome) for file in files}
    if stage is ReplayStage.CANARY:
        return _after_canary(connection, replay, files, became, reasons, now_ns)
    differs = ReplayOutcome.DIFFERS in became.values()
    replay_store.set_back(
        connection, [file.old_job for file in files if became[file.version_id] is not ReplayOutcome.DONE]
    )
    to = ReplayStage.STOPPED if differs else ReplayStage.DONE
    replay_store.move(connection, replay, to, now_ns, why=next(iter(reasons), None))
    return None


def _after_canary(
    connection: Connection,
    replay: AnyRow,
    files: Sequence[AnyRow],
    became: Mapping[int, str | None],
    reasons: Sequence[str],
    now_ns: int,
) -> int | None:
    if any(became[file.version_id] != ReplayOutcome.DONE for file in files if file.is_canary):
        replay_store.set_back(connection, [file.old_job for file in files])
        replay_store.move(connection, replay, ReplayStage.STOPPED, now_ns, why=next(iter(reasons), "cancelled"))
        return None
    _let_options_stand(connection, replay, [file.old_job for file in files], now_ns)
    rest = [file for file in files if became[file.version_id] is None]
    replay_store.set_back(
        connection, [file.old_job for file in files if became[file.version_id] == ReplayOutcome.SKIPPED]
    )
    replay_store.move(connection, replay, ReplayStage.REST if rest else ReplayStage.DONE, now_ns)
    if not rest:
        return None
    return _queue(connection, replay, {file.version_id: file.old_job for file in rest}, now_ns)


def _is_interrupted(file: AnyRow) -> bool:
    """Whether the job that was to read a file ended with its process, by no fault of its own."""
    return (file.state, file.error_code) == (JobState.ABORTED, INTERRUPTED)


def _judge(connection: Connection, over: Sequence[AnyRow]) -> tuple[dict[int, ReplayOutcome], list[str]]:
    """What became of files whose jobs are over, by version, and why for those that did not come out."""
    jobs = [job for file in over for job in (file.old_job, file.new_job)]
    brought = replay_store.brought(connection, jobs)
    outcomes: dict[int, ReplayOutcome] = {}
    reasons = []
    for file in over:
        if file.state != JobState.COMPLETED:
            outcomes[file.version_id] = ReplayOutcome.FAILED
            reasons.append(f"{file.path}: {file.error_code}: {file.error_message}")
            continue
        expected = replay_store.expected_of(file)
        why = difference(expected, brought.get(file.old_job, {}), brought.get(file.new_job, {}))
        outcomes[file.version_id] = ReplayOutcome.DIFFERS if why else ReplayOutcome.DONE
        reasons += [f"{file.path}: {why}"] if why else []
    return outcomes, reasons


def difference(
    expected: Mapping[str, Expected] | None, before: Mapping[str, Expected], now: Mapping[str, Expected]
) -> str | None:
    """What was expected of a file, and what was found, if it came out otherwise; see `Files` for what is expected.

    By its dry run, or without one by the rows that it had: `before` and `now` are what it brought to each table.
    """
    nothing = Expected(0, 0)
    if expected is None:
        return None
    if not expected:
        return next(
            (
                f"{table} has had {had.accepted:,} accepted rows of it, expected no fewer, "
                f"found {now.get(table, nothing).accepted:,}"
                for table, had in sorted(before.items())
                if now.get(table, nothing).accepted < had.accepted
            ),
            None,
        )
    for table in sorted({*expected, *now}):
        said, came = expected.get(table, nothing), now.get(table, nothing)
        if (said.accepted, said.quarantined) != (came.accepted, came.quarantined):
            return (
                f"expected {said.accepted:,} rows of it in {table} and {said.quarantined:,} in its quarantine, "
                f"found {came.accepted:,} and {came.quarantined:,}"
            )
        if said.row_digest is not None and came.accepted and said.row_digest != came.row_digest:
            return f"expected the {said.accepted:,} rows of its dry run in {table}, found other ones"
    return None


def _let_options_stand(connection: Connection, replay: AnyRow, of_jobs: Iterable[int], now_ns: int) -> None:
    """What the replay reads with is what every later run reads files of these tables with."""
    if replay.config is None:
        return
    options = json.loads(replay.config)
    for parser, base in sorted(
        {(job.parser_name, job.base_table) for job in replay_store.old_jobs(connection, of_jobs).values()}
    ):
        together = standing_store.standing_of(connection, parser, base) | options
        standing_store.set_standing(
            connection,
            parser,
            base,
            together,
            by=replay.asked_by,
            reason=replay.reason,
            now_ns=now_ns,
            replay=replay.id,
        )


def _queue(connection: Connection, replay: AnyRow, of_versions: Mapping[int, int], now_ns: int) -> int:
    """Submit a run that reads these files again, each as the job did that is named for it; its plan."""
    old = replay_store.old_jobs(connection, of_versions.values())
    carriers = replay_store.carriers(connection, of_versions.values())
    active = replay_store.newest_active(connection)
    standing = standing_store.standing(connection)
    routes = {job: routes_of(row.routes) for job, row in old.items()}
    for row in replay_store.routes_showing(connection, old):  # every sink that shows the old rows gets the new ones
        routes[row.id] = routes_of(row.routes).and_also(routes[row.id])
    numbers: set[int] = set()
    plan = _unused(numbers, now_ns)
    rows = []
    reads: dict[int, int] = {}
    for version, job in of_versions.items():
        row = old[job]
        number = reads[version] = _unused(numbers, now_ns)
        options = json.loads(row.config)
        options |= standing.get((row.parser_name, row.base_table), {}) | json.loads(replay.config or "{}")
        place = carriers.get(job)
        rows.append(
            again(row, number, plan, REASONS[ReplayKind(replay.kind)], now_ns)
            | {
                "location_id": place.location if place else row.location_id,
                "version_id": version,
                "parser_id": replay.parser_id or active.get(row.parser_name, row.parser_id),
                "config": json.dumps(options, sort_keys=True),
                "config_hash": config_hash(options, table_asked_for(row)),
                "routes": routes[job].to_json(),
                "carries": job,
            }
        )
    policy = _policy(connection, old.values(), routes.values())
    text = msgspec.json.encode(policy).decode()
    run_store.submit(connection, plan, text, replay.asked_by, rows, now_ns)
    replay_store.set_jobs(connection, replay.id, plan, reads)
    return plan


def table_asked_for(job: AnyRow) -> str | None:
    """The table that a person named for the run of a job, as the digest of its configuration tells."""
    return None if config_hash(json.loads(job.config), None) == job.config_hash else job.base_table


def _policy(connection: Connection, jobs: Iterable[AnyRow], routes: Iterable[Routes]) -> Policy:
    """That of the newest run of these jobs; in a table that is replaced as a whole everything else stays."""
    text = next((job.policy for job in sorted(jobs, key=lambda job: -job.id) if job.policy), None)
    policy = Policy() if text is None else msgspec.json.decode(text, type=Policy)
    replaced = {target.uri for each in routes for target in each.every_target() if target.mode is SinkMode.REPLACE}
    kept = replay_store.replaced_in(connection, sorted(replaced)) if replaced else ()
    return msgspec.structs.replace(policy, kept_hashes=kept)


def _unused(numbers: set[int], now_ns: int) -> int:
    number = new_time_ordered_id(now_ns)
    while number in numbers:
        number = new_time_ordered_id(now_ns)
    numbers.add(number)
    return number
