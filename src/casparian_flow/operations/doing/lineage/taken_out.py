"""What reverts took out of what some bytes brought, and what brings it back."""

from __future__ import annotations

import shlex

from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.lineage.why import RevertedPart
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.reversals import held_of
from casparian_flow.store.views.lineage import places_of


def taken_out(reading: Reading, source_hash: str) -> list[RevertedPart]:
    """The rows of these bytes that are out for a revert, and were not read again since: the newest of each table."""
    newest = {(row.parser_name, row.sink_uri, row.table_name): row for row in held_of(reading.connection, source_hash)}
    return [
        RevertedPart(
            table=row.table_name,
            sink=row.sink_uri,
            job=str(row.job_id),
            rows=row.rows,
            by=row.actor or "",
            at=rfc3339(row.permitted_at_ns),
            reason=row.reason or "",
            back=_back(reading, row),
        )
        for row in newest.values()
        if row.rows
    ]


def _back(reading: Reading, row: AnyRow) -> str:
    from casparian_flow.operations.doing.run.again import forced_again  # noqa: PLC0415 - 0.3 s

    place = next(iter(places_of(reading.connection, row.source_hash)), None)
    if place is not None and place["is_current"] and not place["is_missing"]:
        path = f"{place['source']}/{place['path']}"
        if (command := forced_again(reading.connection, reading, row.job_id, path)) is not None:
            return command
    return shlex.join(["casparian", "output", "history", row.table_name, "--sink", row.sink_uri])
