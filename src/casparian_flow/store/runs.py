"""Runs: submitted with their jobs and policy, open until nothing waits for their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from casparian_flow.store import jobs as job_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import runs

OPEN = select(runs.c.plan_id).where(runs.c.finished_at_ns.is_(None)).order_by(runs.c.plan_id)
BY_PLAN = select(runs).where(runs.c.plan_id == bindparam("plan"))
FINISH = update(runs).where(runs.c.plan_id == bindparam("plan"), runs.c.finished_at_ns.is_(None))
REOPEN = update(runs).where(runs.c.plan_id == bindparam("plan")).values(finished_at_ns=None)
FINISH_ALL = update(runs).where(runs.c.finished_at_ns.is_(None)).values(finished_at_ns=bindparam("now_ns"))


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


def reopen(connection: Connection, plan: int) -> None:
    """A run has an open job again."""
    connection.execute(REOPEN, {"plan": plan})


def finish_all(connection: Connection, now_ns: int) -> None:
    """Every run is over: their jobs were abandoned."""
    connection.execute(FINISH_ALL, {"now_ns": now_ns})
