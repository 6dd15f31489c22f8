"""Says so where somebody asks for rows that were erased for good."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import Connection

from casparian_flow.core.errors import Erased
from casparian_flow.core.outputs import Role
from casparian_flow.core.times import rfc3339
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tombstones import erased_of


def refuse_erased(connection: Connection, sink: str, table: str, role: Role, seq: int) -> None:
    """Raises Erased if the table showed, after that entry of its log, files of which rows were erased since."""
    for row in erased_of(connection, sink, table):
        first, last = json.loads(row.receipt).get("seqs", {}).get(role.value, (0, 0))
        if first <= seq < last:
            raise _erased(row, f"{table} as it was then")


def refuse_erased_jobs(connection: Connection, sink: str, table: str, jobs: Collection[int]) -> None:
    """Raises Erased if rows of one of these jobs were erased, or are about to be."""
    for row in erased_of(connection, sink, table):
        receipt = json.loads(row.receipt)
        # A job of which a part was erased can come back without it, once that part is nowhere any more.
        gone = receipt["jobs"] + ([] if receipt["is_erased"] else list(map(int, receipt.get("trimmed", ()))))
        if not set(jobs).isdisjoint(gone):
            raise _erased(row, f"rows of {table} that would come back")


def _erased(row: AnyRow, what: str) -> Erased:
    receipt = json.loads(row.receipt)
    return Erased(
        f"{what} cannot be shown: {row.rows:,} rows were erased by {receipt['proposal']} on {rfc3339(row.at_ns)[:10]}",
        where=row.sink_uri,
        why=f"approved by {row.actor}",
        fix=f"casparian approval show {receipt['proposal']}",
    )
