"""Refuses to build upon a table whose target lost what was committed to it."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Sink
from casparian_flow.store import outputs as output_store


def refuse_lost_commits(connection: Connection, sink: Sink, table: str) -> None:
    """Raises VerificationFailed unless the newest commits of the table that were written are there."""
    for row in output_store.last_recorded(connection, sink.uri):
        role = Role(row.role)
        if row.table_name == table and not sink.present([(row.table_name, role, row.seq)]):
            raise VerificationFailed(
                f"table {table} has lost commits",
                where=sink.uri,
                why=f"entry {row.seq} of its log is not there: the target was removed, emptied or replaced",
                fix="bring the target back first",
            )
