"""Past moments of a home's tables, named by a snapshot, by a job or by a time."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.outputs import Role
from casparian_flow.core.times import moments_meant, rfc3339
from casparian_flow.operations.doing.job.jobs import one_job
from casparian_flow.operations.doing.job.numbered import is_number
from casparian_flow.store.views import outputs as view

DAY_NS = 86_400_000_000_000
LONGEST_SNAPSHOT = 9
"""Digits; a longer number is a job."""


def entries_at(connection: Connection, named: str, now_ns: int) -> dict[tuple[str, str, Role], int]:
    """For each log, by sink, table and role, its last entry at that moment.

    A snapshot is a number of a table's history and means the same moment for all tables; a job means the moment when
    its rows became visible. What has dashes is a time, or a day. Raises NotFound, and UsageError for what is none of
    these, for a time that is yet to come, or that can be read in two ways between which tables changed.
    """
    if "-" in named.strip().lstrip("@-"):
        return _entries_at_time(connection, named, now_ns)
    if named.isascii() and named.isdecimal() and len(named) <= LONGEST_SNAPSHOT:
        found = view.last_entries_at(connection, int(named))
        if found is None:
            raise NotFound(
                f"there is no snapshot {named}",
                why=f"a day is written {named[:4]}-{named[4:6]}-{named[6:]}" if len(named) == 8 else "",
                fix="casparian output history TABLE",
            )
        return found
    if not (is_number(named) or named.startswith("@")):
        day = rfc3339(now_ns - DAY_NS)[:10]
        raise UsageError(
            f"{named!r} is no moment",
            why="that is a snapshot of a table's history, a job (its number, the beginning of it, @last), or a time",
            fix=f"write a time as {day} or {day}T10:00:00Z; casparian output history TABLE lists snapshots",
        )
    return view.last_entries_of(connection, int(one_job(connection, named)["id"]))


def _entries_at_time(connection: Connection, named: str, now_ns: int) -> dict[tuple[str, str, Role], int]:
    moments = moments_meant(named)
    if moments[0] > now_ns:
        raise UsageError(f"{named} lies in the future", why=f"it is {rfc3339(now_ns)}", fix="leave --as-of away")
    readings = {view.last_commit_at(connection, moment) for moment in moments}
    if len(readings) > 1:
        earliest, latest = rfc3339(moments[0]), rfc3339(min(moments[-1], now_ns))
        raise UsageError(
            f"{named} can be read in two ways, between which tables changed",
            why=f"{earliest} or {latest}, in UTC",
            fix=f"--as-of {latest}",
        )
    [commit] = readings
    return view.entries_upto(connection, commit)
