"""How what `operations.job.retry` names is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import msgspec

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.ids import new_time_ordered_id
from casparian_flow.core.jobs import REPLAYABLE, JobState
from casparian_flow.core.reasons import RunReason
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.job.cancel import named_jobs
from casparian_flow.operations.doing.run.again import run_again
from casparian_flow.operations.job.retry import (
    JobPrioritised,
    JobRetried,
    PrioritiseJob,
    Retried,
    RetryJobs,
    RetryReply,
)
from casparian_flow.publish.artifact import artifact_hash
from casparian_flow.sentinel.runs import Policy
from casparian_flow.store import job_changes, runs
from casparian_flow.store.engine import AnyRow

WORKERS = 1
"""Slots that a home without a service starts for what is done again."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is to be done about one job: `job` is done again, or it is hurried, or refused for a reason."""

    outcome: Retried
    says: str
    job: AnyRow | None = None


def retry(acting: Acting, request: RetryJobs) -> RetryReply:
    """Have the same done again: same bytes, parser, options and sinks, by a new job, since what ended stays ended.

    Jobs that only pause after a failure have their turn at once. What cannot be done again is refused with its reason,
    and does not stand in the way of the others. Raises NotFound before anything is done, and VersionChanged.
    """
    named = [int(row["id"]) for row in named_jobs(acting, request.jobs, request.if_version)]
    now_ns = acting.clock()
    verdicts = _verdicts(acting, named)
    again = {number: each.job for number, each in verdicts.items() if each.job is not None}
    new = _queue(acting, again, now_ns)
    plans = sorted({plan for _job, plan in new.values()})
    for plan in plans:
        acting.execution.submit(plan, WORKERS)
    if request.wait or not acting.execution.outlives_asker:
        for plan in plans:
            acting.execution.wait(plan, acting.report)
    return RetryReply(retried=[_answer(acting, number, verdicts[number], new.get(number)) for number in named])


def _verdicts(acting: Acting, named: Sequence[int]) -> dict[int, _Verdict]:
    found: dict[int, _Verdict] = {}
    taken: dict[tuple[str, ...], int] = {}
    hash_of = cache(_hash_on_disk)
    with acting.database.transaction() as connection:
        rows = [job_changes.with_world(connection, number) for number in named]
        since = {row.id: job_changes.same_since(connection, row) for row in rows}
    hurried = {row.id for row in rows if row.state == JobState.QUEUED and acting.execution.hurry(row.id)}
    for row in rows:
        same = (row.source_hash, str(row.parser_id), row.config_hash, row.routes)
        if row.id in hurried:
            found[row.id] = _Verdict(Retried.HURRIED, "it waits no longer after its failure")
        elif why_not := _why_not(row, since[row.id], hash_of, partial(_run, acting, row)):
            found[row.id] = _Verdict(Retried.REFUSED, why_not)
        elif (first := taken.setdefault(same, row.id)) != row.id:
            found[row.id] = _Verdict(Retried.REFUSED, f"what job {first} did is done again already, and it is the same")
        else:
            found[row.id] = _Verdict(Retried.QUEUED, "the same is done again", row)
    return found


def _run(acting: Acting, job: AnyRow) -> str:
    """The run that reads the file of a job as the job did."""
    with acting.database.transaction() as connection:
        return run_again(connection, acting, [job.id])[0]


def _why_not(job: AnyRow, since: AnyRow | None, hash_of: Callable[[str], str | None], run: Callable[[], str]) -> str:
    """Why the same cannot be done again; empty if it can. `run` words the run that reads the file as the job did."""
    name = job.parser_name
    if job.state == JobState.COMPLETED:
        return f"it completed; {run()} --force reads the file again"
    if job.state not in REPLAYABLE:
        return f"it is {job.state}, not over"
    if since is not None:
        return f"job {since.id}, which is {since.state}, did the same since"
    if job.is_missing:
        return "the file is gone"
    if job.current_version_id != job.version_id or job.is_changed:
        return f"the file has other bytes by now; {run()} reads those"
    if hash_of(job.parser_path) != job.artifact_hash:
        return f"parser {name} is not what it was; {run()} takes it as it is now"
    if job.paused_at_ns is not None:
        return f"parser {name} is paused since {rfc3339(job.paused_at_ns)}; casparian parser resume {name}"
    return ""


def _hash_on_disk(path: str) -> str | None:
    try:
        return artifact_hash(Path(path))
    except CasparianError:
        return None


def _queue(acting: Acting, again: Mapping[int, AnyRow], now_ns: int) -> dict[int, tuple[int, int]]:
    """Queue each job again under its run's policy: the new job and its plan by the old one."""
    numbers: set[int] = set()
    by_plan: dict[int, list[AnyRow]] = defaultdict(list)
    for row in again.values():
        by_plan[row.plan_id].append(row)
    new: dict[int, tuple[int, int]] = {}
    with acting.database.transaction() as connection:
        for group in by_plan.values():
            plan = _unused(numbers, now_ns)
            copies = []
            for row in group:
                new[row.id] = (_unused(numbers, now_ns), plan)
                reason = RunReason.PREVIOUS_FAILED if row.state == JobState.FAILED else RunReason.FORCED
                copies.append(job_changes.again(row, *new[row.id], reason, now_ns))
            policy = group[0].policy or msgspec.json.encode(Policy()).decode()
            runs.submit(connection, plan, policy, acting.actor, copies, now_ns)
    return new


def _unused(numbers: set[int], now_ns: int) -> int:
    number = new_time_ordered_id(now_ns)
    while number in numbers:
        number = new_time_ordered_id(now_ns)
    numbers.add(number)
    return number


def _answer(acting: Acting, number: int, verdict: _Verdict, new: tuple[int, int] | None) -> JobRetried:
    """What became of one job, with the state that it or the one which does the same again has by now."""
    now = number if new is None else new[0]
    with acting.database.transaction() as connection:
        row = job_changes.with_world(connection, now)
    return JobRetried(
        job=str(number),
        outcome=verdict.outcome,
        now=None if new is None else str(now),
        state=JobState(row.state),
        says=f"{row.error_code}: {row.error_message}" if new and row.error_code else verdict.says,
    )


def prioritise(acting: Acting, request: PrioritiseJob) -> JobPrioritised:
    """Change the priority of a queued job; raises NotFound and VersionChanged."""
    (row,) = named_jobs(acting, (request.job,), request.if_version)
    changed = acting.execution.set_priority(row["id"], request.priority)
    (row,) = named_jobs(acting, (str(row["id"]),), None)
    return JobPrioritised(job=str(row["id"]), state=JobState(row["state"]), priority=row["priority"], is_queued=changed)
