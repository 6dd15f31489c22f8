"""Rows that count as made otherwise than they were: what stands for what, and what showed it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared, each_of
from casparian_flow.store.tables import equivalences, materializations

SHOWN_IN_TABLE = Prepared(
    select(*materializations.c)
    .where(materializations.c.job_id.in_(each_of("jobs")), materializations.c.table_name == bindparam("table"))
    .where(materializations.c.is_current.is_(True))
    .order_by(materializations.c.id)
)
SHOWN = Prepared(
    select(*materializations.c)
    .where(materializations.c.job_id.in_(each_of("jobs")), materializations.c.is_current.is_(True))
    .order_by(materializations.c.id)
)
MOVE = Prepared(
    update(materializations)
    .where(materializations.c.id == bindparam("materialization"), materializations.c.key == bindparam("old_key"))
    .values(
        key=bindparam("new_key"),
        target_key=bindparam("to_target"),
        artifact_hash=bindparam("artifact"),
        env_hash=bindparam("environment"),
        config_hash=bindparam("config"),
        contract_hash=bindparam("contract"),
    )
)
ADD = Prepared(
    insert(equivalences).values({each.name: bindparam(each.name) for each in equivalences.c if each.name != "id"})
)


def shown(connection: Connection, of_jobs: Iterable[int], table: str | None = None) -> Sequence[AnyRow]:
    """What jobs brought that is shown now, in one table or in all of them."""
    jobs = json.dumps(list(of_jobs))
    if table is None:
        return SHOWN.rows(connection, jobs=jobs)
    return SHOWN_IN_TABLE.rows(connection, jobs=jobs, table=table)


def move(connection: Connection, moves: Sequence[dict[str, Any]]) -> int:
    """Give materializations other keys, and keep why they may have them; how many there were that still had the old."""
    if not moves:
        return 0
    moved = MOVE.run_all(connection, [each["key"] for each in moves])
    ADD.run_all(connection, [each["proof"] for each in moves])
    return moved
