"""How what `operations.workers` names is done."""

from __future__ import annotations

import json

from sqlalchemy import RowMapping

from casparian_flow.core.errors import NotFound
from casparian_flow.core.times import rfc3339
from casparian_flow.core.workers import WorkerState
from casparian_flow.operations.context import Reading
from casparian_flow.operations.workers import ListWorkers, ShowWorker, WorkerDetail, WorkerEntry, WorkerList
from casparian_flow.store.views import workers as view

UNHEARD_NS = 30_000_000_000

"""Two leases: who was not heard for so long is not there, whatever was written about it last."""


def list_(reading: Reading, request: ListWorkers) -> WorkerList:
    """The workers, by name."""
    entries = [_entry(row, reading.now_ns) for row in view.list_workers(reading.connection)]
    return WorkerList(workers=[each for each in entries if request.gone or each.state is not WorkerState.GONE])


def show(reading: Reading, request: ShowWorker) -> WorkerDetail:
    """One worker; raises NotFound."""
    row = view.find_worker(reading.connection, request.worker)
    if row is None:
        raise NotFound(f"there is no worker {request.worker}", fix="casparian worker list --gone")
    return WorkerDetail(
        worker=_entry(row, reading.now_ns),
        holds=[str(job) for job in view.jobs_held(reading.connection, request.worker)],
    )


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
