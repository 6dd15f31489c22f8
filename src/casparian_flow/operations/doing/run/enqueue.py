"""Submits a run: one job into the queue for every file that a plan runs."""

from __future__ import annotations

import json

import msgspec

from casparian_flow.core.ids import time_ordered_ids
from casparian_flow.core.jobs import JobState
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.run.plan import Prepared
from casparian_flow.sentinel.planning.planner import Decision
from casparian_flow.sentinel.runs import Policy
from casparian_flow.store import runs as run_store

DAY_NS = 86_400 * 1_000_000_000


def enqueue(acting: Acting, prepared: Prepared, policy: Policy) -> dict[int, Decision]:
    """Keep the run with its policy and queue one job per file, in the order of the plan; the decision behind each."""
    now = acting.clock()
    routes = prepared.plan.routes.to_json()
    jobs: dict[int, Decision] = {}
    rows = []
    runs = prepared.plan.runs
    for job, decision in zip(time_ordered_ids(now, len(runs)), runs, strict=True):
        assert decision.parser is not None
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
                "config": json.dumps(dict(decision.options), sort_keys=True),
                "config_hash": decision.config_hash,
                "routes": routes,
                "base_table": decision.base_table,
                "state": JobState.QUEUED,
                "attempt": 0,
                "priority": _priority(now - decision.file.mtime_ns),
                "queued_at_ns": now,
            }
        )
    with acting.database.transaction() as connection:
        run_store.submit(connection, prepared.id, msgspec.json.encode(policy).decode(), acting.actor, rows, now)
    acting.report("jobs.queued", {"total": len(jobs)})
    return jobs


def _priority(age_ns: int) -> int:
    """Changed within a day 100, a week 50, else 10."""
    return 100 if age_ns < DAY_NS else 50 if age_ns < 7 * DAY_NS else 10
