"""Past moments of a home's tables, named by a snapshot or by a job."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound
from casparian_flow.core.outputs import Role
from casparian_flow.operations.doing.jobs import one_job
from casparian_flow.store.views import outputs as view

LONGEST_SNAPSHOT = 9
"""Digits; a longer number is a job."""


def entries_at(connection: Connection, named: str) -> dict[tuple[str, str, Role], int]:
    """For each log, by sink, table and role, its last entry at that moment.

    A snapshot is a number of a table's history and means the same moment for all tables; a job means the moment when
    its rows became visible. Raises NotFound.
    """
    if named.isascii() and named.isdecimal() and len(named) <= LONGEST_SNAPSHOT:
        found = view.last_entries_at(connection, int(named))
        if found is None:
            raise NotFound(f"there is no snapshot {named}", fix="casparian output history TABLE")
        return found
    return view.last_entries_of(connection, int(one_job(connection, named)["id"]))
