"""Workers that a sentinel has known: who they are and when they were last heard."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.core.workers import WorkerState
from casparian_flow.store.tables import workers

_worker = insert(workers)
JOIN = _worker.on_conflict_do_update(
    index_elements=["name"],
    set_={column.name: _worker.excluded[column.name] for column in workers.c if column.name != "name"},
)
SEE = update(workers).where(workers.c.name == bindparam("worker")).values(seen_at_ns=bindparam("now_ns"))
MOVE = update(workers).where(workers.c.name == bindparam("worker")).values(state=bindparam("to"))
FORGET = delete(workers).where(workers.c.name == bindparam("worker"))
STATE = select(workers.c.state).where(workers.c.name == bindparam("worker"))
ALL_LOST = (
    update(workers)
    .where(workers.c.state.in_((WorkerState.PRESENT, WorkerState.DRAINING)))
    .values(state=WorkerState.LOST)
)


def join(connection: Connection, values: dict[str, Any]) -> None:
    """A worker said who it is: every column."""
    connection.execute(JOIN, values)


def see(connection: Connection, names: list[str], now_ns: int) -> None:
    """These workers live."""
    if names:
        connection.execute(SEE, [{"worker": name, "now_ns": now_ns} for name in names])


def move(connection: Connection, name: str, to: WorkerState) -> None:
    """A worker stands elsewhere now."""
    connection.execute(MOVE, {"worker": name, "to": to})


def forget(connection: Connection, name: str) -> bool:
    """Remove a worker from the registry; false if there is none of that name."""
    return connection.execute(FORGET, {"worker": name}).rowcount == 1


def state_of(connection: Connection, name: str) -> WorkerState | None:
    """Where a worker stands; None if it was never known."""
    found = connection.execute(STATE, {"worker": name}).scalar()
    return None if found is None else WorkerState(found)


def lose_all(connection: Connection) -> None:
    """Nobody has identified itself to this sentinel yet."""
    connection.execute(ALL_LOST)
