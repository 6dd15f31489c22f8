"""How what `operations.service.workers` names is done."""

from __future__ import annotations

import json

from msgspec import structs
from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import NotFound
from casparian_flow.core.times import rfc3339
from casparian_flow.core.workers import WorkerState
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.service.workers import (
    DrainWorker,
    ListWorkers,
    RemoveWorker,
    ShowWorker,
    WorkerChanged,
    WorkerDetail,
    WorkerEntry,
    WorkerList,
)
from casparian_flow.store import admission
from casparian_flow.store.views import workers as view

UNHEARD_NS = 30_000_000_000
"""Two leases: who was not heard for so long is not there, whatever was written about it last."""


def list_(reading: Reading, request: ListWorkers) -> WorkerList:
    """The workers, by name."""
    entries = [_entry(row, reading.now_ns) for row in view.list_workers(reading.connection)]
    return WorkerList(workers=[each for each in entries if request.gone or each.state is not WorkerState.GONE])


def show(reading: Reading, request: ShowWorker) -> WorkerDetail:
    """One worker; raises NotFound."""
    row = _found(reading.connection, request.worker)
    return WorkerDetail(
        worker=_entry(row, reading.now_ns),
        holds=[str(job) for job in view.jobs_held(reading.connection, request.worker)],
    )


def drain(acting: Acting, request: DrainWorker) -> WorkerChanged:
    """Give a worker nothing more; raises NotFound."""
    _known(acting, request.worker)
    changed = acting.execution.drain(request.worker)
    return WorkerChanged(worker=_known(acting, request.worker), keys=0, is_changed=changed)


def remove(acting: Acting, request: RemoveWorker) -> WorkerChanged:
    """Send a worker away for good; its keys go first, so that it cannot come back meanwhile. Raises NotFound."""
    before = _known(acting, request.worker)
    with acting.database.transaction() as connection:
        keys = admission.revoke_key(connection, request.worker, acting.clock())
    changed = acting.execution.remove(request.worker)
    gone = structs.replace(
        before, state=WorkerState.GONE, busy=0, free=0, jobs=0, key="revoked" if keys else before.key
    )
    return WorkerChanged(worker=gone, keys=keys, is_changed=changed or keys > 0)


def _known(acting: Acting, name: str) -> WorkerEntry:
    with acting.database.transaction() as connection:
        return _entry(_found(connection, name), acting.clock())


def _found(connection: Connection, name: str) -> RowMapping:
    row = view.find_worker(connection, name)
    if row is None:
        raise NotFound(f"there is no worker {name}", fix="casparian worker list --gone")
    return row


def _entry(row: RowMapping, now_ns: int) -> WorkerEntry:
    state = WorkerState(row["state"])
    is_expected = state in (WorkerState.PRESENT, WorkerState.DRAINING)
    is_unheard = now_ns - row["seen_at_ns"] > UNHEARD_NS
    busy = min(row["slots"], max(row["in_slots"], 1 if row["jobs"] else 0))
    return WorkerEntry(
        name=row["name"],
        state=WorkerState.LOST if is_expected and is_unheard else state,
        host=row["host"],
        pid=row["pid"],
        slots=row["slots"],
        busy=busy,
        free=row["slots"] - busy if state is WorkerState.PRESENT and not is_unheard else 0,
        jobs=row["jobs"],
        isolation=row["isolation"],
        labels=json.loads(row["labels"]),
        environments=json.loads(row["environments"]),
        parsers=json.loads(row["parsers"]),
        product=row["product"],
        key="admitted" if row["keys_in_force"] else "revoked" if row["keys_revoked"] else "none",
        joined=rfc3339(row["joined_at_ns"]),
        seen=rfc3339(row["seen_at_ns"]),
        seen_seconds=round(max(now_ns - row["seen_at_ns"], 0) / 1e9, 1),
    )
