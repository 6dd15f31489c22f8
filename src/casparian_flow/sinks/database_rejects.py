"""Deletes rows of jobs from a database, all of them or rejected ones, inside the transaction that it is given."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import product

from casparian_flow.core.lineage import JOB_ID
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.database_columns import homes_of, rows_table
from casparian_flow.sinks.database_engine import Connection, quoted
from casparian_flow.sinks.database_records import Records
from casparian_flow.sinks.rejects import CAUSE_COLUMNS, Rejects

AT_ONCE = 5000
"""Jobs that one statement names: each reads the whole table."""


def delete_jobs(connection: Connection, rows: str, jobs: Collection[int]) -> None:
    """Delete all that these jobs brought to a table of rows."""
    for _some, of_jobs in _at_once(jobs):
        connection.rows(f"DELETE FROM {quoted(rows)} WHERE {of_jobs}")


def delete_rejects(connection: Connection, table: str, rejects: Sequence[Rejects]) -> None:
    """Delete these rows of the quarantine of a table, and count what is left of their jobs."""
    records = Records(connection)
    columns = records.columns(table, Role.QUARANTINE)
    if not (columns and rejects):
        return
    rows = rows_table(table, Role.QUARANTINE)
    homes = [[home.physical for home in homes_of(columns, name)] for name in CAUSE_COLUMNS]
    for each in rejects:
        values = (each.code, each.column, each.shape)
        for some, of_jobs in _at_once(each.jobs):
            for places in product(*homes):
                same = " AND ".join(f"coalesce({quoted(place)}, '') = ?" for place in places)
                connection.rows(f"DELETE FROM {quoted(rows)} WHERE {of_jobs} AND {same}", values)
            left = connection.rows(f"SELECT {quoted(JOB_ID)}, count(*) FROM {quoted(rows)} WHERE {of_jobs} GROUP BY 1")
            records.set_rows(table, Role.QUARANTINE, dict.fromkeys(some, 0) | {int(job): int(n) for job, n in left})


def _at_once(jobs: Collection[int]) -> Iterator[tuple[list[int], str]]:
    """The jobs in parts, each with the condition that a row is of one of them."""
    every = sorted(jobs)
    for some in (every[at : at + AT_ONCE] for at in range(0, len(every), AT_ONCE)):
        yield some, f"{quoted(JOB_ID)} IN ({', '.join(str(int(job)) for job in some)})"
