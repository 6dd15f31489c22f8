"""Numbers for who watches a service."""

from __future__ import annotations

from sqlalchemy import Connection, func, literal_column, select, text

from casparian_flow.store.tables import jobs, parsers, workers

OLDEST_QUEUED = select(func.min(jobs.c.queued_at_ns)).where(jobs.c.state == literal_column("'queued'"))
ATTEMPTS = select(func.coalesce(func.sum(jobs.c.attempt), 0), func.coalesce(func.sum(jobs.c.failures), 0))
PAUSED = select(func.count()).where(parsers.c.paused_at_ns.is_not(None))
WORKERS = select(workers.c.state, func.count(), func.sum(workers.c.slots)).group_by(workers.c.state)
SIZE = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")


def oldest_queued_ns(connection: Connection) -> int | None:
    """When the job was queued that waits longest; None while none waits."""
    found: int | None = connection.execute(OLDEST_QUEUED).scalar()
    return found


def count_attempts(connection: Connection) -> tuple[int, int]:
    """How often a job was claimed, and how often that was in vain."""
    attempts, failures = connection.execute(ATTEMPTS).one()
    return int(attempts), int(failures)


def count_paused(connection: Connection) -> int:
    """Parsers that are paused."""
    return int(connection.execute(PAUSED).scalar_one())


def count_workers(connection: Connection) -> dict[str, tuple[int, int]]:
    """How many workers are in each state, and their slots."""
    return {state: (count, int(slots)) for state, count, slots in connection.execute(WORKERS)}


def database_bytes(connection: Connection) -> int:
    """How large the control database is."""
    return int(connection.execute(SIZE).scalar_one())
