"""Whether the control database is sound."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text

from casparian_flow.store.migrate import expected_fingerprint, live_fingerprint
from casparian_flow.store.tables import commits, jobs

QUICK_CHECK = text("PRAGMA quick_check(5)")
UNRECORDED = select(func.count()).where(commits.c.is_recorded.is_(False))
NEWEST_JOB = select(func.max(jobs.c.queued_at_ns))


def damage(connection: Connection) -> list[str]:
    """What SQLite finds wrong with the file, at most five lines; nothing when it is sound."""
    return [line for line in connection.execute(QUICK_CHECK).scalars() if line != "ok"]


def has_expected_schema(connection: Connection) -> bool:
    """Whether the tables and columns are those that the code was written for."""
    return live_fingerprint(connection) == expected_fingerprint()


def count_unrecorded(connection: Connection) -> int:
    """Commits that were permitted and not recorded yet."""
    return int(connection.execute(UNRECORDED).scalar_one())


def newest_job_ns(connection: Connection) -> int | None:
    """When the newest job was queued, by the clock of then."""
    found: int | None = connection.execute(NEWEST_JOB).scalar()
    return found
