"""Runs: submitted with their jobs and policy, open until nothing waits for their end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from casparian_flow.core.contracts import ContractState, Origin
from casparian_flow.core.jobs import JobState
from casparian_flow.store import jobs as job_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import contracts, jobs, runs

OPEN = select(runs.c.plan_id).where(runs.c.finished_at_ns.is_(None)).order_by(runs.c.plan_id)
BY_PLAN = select(runs).where(runs.c.plan_id == bindparam("plan"))
FINISH = update(runs).where(runs.c.plan_id == bindparam("plan"), runs.c.finished_at_ns.is_(None))
FINISH_ALL = update(runs).where(runs.c.finished_at_ns.is_(None)).values(finished_at_ns=bindparam("now_ns"))
STATES = select(jobs.c.state, func.count()).where(jobs.c.plan_id == bindparam("plan")).group_by(jobs.c.state)
ROWS = text(
    """SELECT json_extract(c.value, '$.table') AS "table",
              sum(json_extract(c.value, '$.accepted')) AS accepted,
              sum(json_extract(c.value, '$.quarantined')) AS quarantined,
              sum(json_extract(c.value, '$.rescued')) AS rescued
       FROM cf_jobs j, json_each(j.receipt, '$.counts') c
       WHERE j.plan_id = :plan AND j.state = 'completed'
       GROUP BY 1"""
)
_founder = func.json_extract(contracts.c.evidence, "$.jobs[0]")
FOUNDED = (
    select(contracts.c.table_name)
    .join(jobs, jobs.c.id == _founder)
    .where(contracts.c.state == ContractState.APPLIED, contracts.c.origin == Origin.ADOPTED)
    .where(jobs.c.plan_id == bindparam("plan"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of the jobs of a plan so far, and the rows of those that landed. `founded` are its new tables.

    `rescued` are values, by the table whose rows they stand beside.
    """

    states: dict[JobState, int]
    accepted: int
    quarantined: int
    rescued: dict[str, int]
    founded: frozenset[str]


def totals(connection: Connection, plan: int) -> Totals:
    """What a plan came to, as it is recorded."""
    rows = connection.execute(ROWS, {"plan": plan}).all()
    return Totals(
        states={JobState(state): count for state, count in connection.execute(STATES, {"plan": plan})},
        accepted=sum(row.accepted for row in rows),
        quarantined=sum(row.quarantined for row in rows),
        rescued={row.table: row.rescued for row in rows if row.rescued},
        founded=frozenset(connection.execute(FOUNDED, {"plan": plan}).scalars()),
    )


def submit(
    connection: Connection, plan: int, policy: str, actor: str, jobs: Sequence[dict[str, Any]], now_ns: int
) -> None:
    """Keep a run and queue its jobs: from here on whoever is the sentinel takes it to its end."""
    connection.execute(insert(runs), {"plan_id": plan, "policy": policy, "actor": actor, "submitted_at_ns": now_ns})
    job_store.enqueue(connection, jobs)


def open_plans(connection: Connection) -> list[int]:
    """The plans of runs that are not over, oldest first."""
    return list(connection.execute(OPEN).scalars())


def run_of(connection: Connection, plan: int) -> AnyRow | None:
    """The run of a plan; None if it was never submitted."""
    return connection.execute(BY_PLAN, {"plan": plan}).first()


def finish(connection: Connection, plan: int, now_ns: int) -> None:
    """A run is over."""
    connection.execute(FINISH.values(finished_at_ns=now_ns), {"plan": plan})


def finish_all(connection: Connection, now_ns: int) -> None:
    """Every run is over: their jobs were abandoned."""
    connection.execute(FINISH_ALL, {"now_ns": now_ns})
