"""Revokes repairs of rows that are erased: the text that a person put right would stay in the home."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.lineage import JOB_ID, SOURCE_HASH, SOURCE_ROW
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.rejects import CAUSE_COLUMNS, Rejects
from casparian_flow.store import repairs
from casparian_flow.store.database import Database


def forget_repairs(
    database: Database,
    open_sink: Callable[[str], Sink],
    rejects: Mapping[tuple[str, str], Sequence[Rejects]],
    now_ns: int,
) -> None:
    """Clear what is kept of repairs of these rejected rows, by sink and table; to be done before any row is erased."""
    for (uri, table), some in sorted(rejects.items()):
        with database.transaction() as connection:
            repaired = repairs.repaired_bytes(connection, table)
        if repaired and some:
            rows = sorted(_rows(open_sink(uri), table, some, repaired))
            with database.transaction() as connection:
                repairs.forget(connection, table, rows, now_ns)


def _rows(sink: Sink, table: str, rejects: Sequence[Rejects], repaired: frozenset[str]) -> set[tuple[str, int]]:
    """Bytes and record of each of the rows that the table has, of bytes with a repair."""
    found: set[tuple[str, int]] = set()
    columns = [*CAUSE_COLUMNS, JOB_ID, SOURCE_HASH, SOURCE_ROW]
    jobs = frozenset().union(*(each.jobs for each in rejects))
    of_bytes = pa.array(sorted(repaired), pa.string())
    for batch in sink.read(table, Role.QUARANTINE, columns=columns, jobs=jobs):
        for each in rejects:
            some = batch.filter(pc.and_(each.among(batch), pc.is_in(batch.column(SOURCE_HASH), of_bytes)))
            found.update(zip(some[SOURCE_HASH].to_pylist(), some[SOURCE_ROW].to_pylist(), strict=True))
    return found
