"""Workers that ever identified themselves, with what they hold and whether their keys still admit them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, or_, select

from casparian_flow.core.jobs import HELD_STATES, JobPhase
from casparian_flow.core.workers import WorkerState
from casparian_flow.store.tables import jobs, worker_keys, workers

IN_A_SLOT = (JobPhase.PARSING, JobPhase.CASTING, JobPhase.SEALED, JobPhase.PROMOTING, JobPhase.STOPPING)
"""What occupies a slot; files that wait behind another one in the same order are still `starting`."""

_held = and_(jobs.c.worker == workers.c.name, jobs.c.session == workers.c.session, jobs.c.state.in_(HELD_STATES))
_keys = select(func.count()).where(worker_keys.c.worker == workers.c.name)
WORKERS = select(
    workers,
    select(func.count()).where(_held).scalar_subquery().label("jobs"),
    select(func.count()).where(_held, jobs.c.phase.in_(IN_A_SLOT)).scalar_subquery().label("in_slots"),
    _keys.where(worker_keys.c.revoked_at_ns.is_(None)).scalar_subquery().label("keys_in_force"),
    _keys.where(worker_keys.c.revoked_at_ns.is_not(None)).scalar_subquery().label("keys_revoked"),
).order_by(workers.c.name)
JOBS_HELD = (
    select(jobs.c.id)
    .select_from(jobs.join(workers, workers.c.name == jobs.c.worker))
    .where(_held, workers.c.name == bindparam("worker"))
    .order_by(jobs.c.id)
    .limit(1000)
)
_is_expected = workers.c.state.in_((WorkerState.PRESENT, WorkerState.DRAINING))
_is_heard = workers.c.seen_at_ns >= bindparam("since_ns")
HEARD = select(func.count()).where(_is_expected, _is_heard)
UNHEARD = select(func.count()).where(or_(workers.c.state == WorkerState.LOST, and_(_is_expected, ~_is_heard)))


def list_workers(connection: Connection) -> Sequence[RowMapping]:
    """Every worker that was ever known, by name."""
    return connection.execute(WORKERS).mappings().all()


def find_worker(connection: Connection, name: str) -> RowMapping | None:
    """The worker of that name."""
    return connection.execute(WORKERS.where(workers.c.name == name)).mappings().first()


def jobs_held(connection: Connection, name: str) -> list[int]:
    """The jobs that a worker has in hand, a thousand at most."""
    return list(connection.execute(JOBS_HELD, {"worker": name}).scalars())


def count_heard(connection: Connection, since_ns: int) -> int:
    """Workers that are there and were heard since then."""
    return int(connection.execute(HEARD, {"since_ns": since_ns}).scalar_one())


def count_unheard(connection: Connection, since_ns: int) -> int:
    """Workers that are lost, or that say they are there and were not heard since then."""
    return int(connection.execute(UNHEARD, {"since_ns": since_ns}).scalar_one())
