"""What a run has brought so far, and how much room the quarantine takes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, literal_column, select

from casparian_flow.store.prepared import Prepared, each_of
from casparian_flow.store.tables import jobs, quarantine

_all_bytes = func.coalesce(func.sum(quarantine.c.bytes), 0).label("bytes")
HELD = Prepared(select(_all_bytes).where(quarantine.c.is_current))
HELD_OF = Prepared(
    select(_all_bytes)
    .join(jobs, jobs.c.id == quarantine.c.job_id)
    .where(quarantine.c.is_current, jobs.c.source_hash.in_(each_of("hashes")))
)
PERMITTED = Prepared(select(jobs.c.receipt).where(jobs.c.state == literal_column("'committing'")))
PERMITTED_OF_PLAN = Prepared(PERMITTED.statement.where(jobs.c.plan_id == bindparam("plan")))  # type: ignore[attr-defined]


def bytes_held(connection: Connection, *, but_of: Sequence[str] = ()) -> int:
    """What the rejected rows take that are current, without those of the bytes with these hashes."""
    held = HELD.row(connection)
    own = HELD_OF.row(connection, hashes=json.dumps(list(but_of))) if but_of else None
    return int(held.bytes if held else 0) - int(own.bytes if own else 0)


def permitted(connection: Connection, plan: int | None = None) -> list[str]:
    """The receipts of attempts that have a permit and are not recorded, of one run or of all."""
    rows = PERMITTED.rows(connection) if plan is None else PERMITTED_OF_PLAN.rows(connection, plan=plan)
    return [row.receipt for row in rows if row.receipt is not None]
