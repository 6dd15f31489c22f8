"""Workers: who is there, what each can do and holds; and sending one away."""

from __future__ import annotations

import json

from sqlalchemy import RowMapping

from casparian_flow.core.errors import NotFound
from casparian_flow.core.times import rfc3339
from casparian_flow.core.workers import WorkerState
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.store.views import workers as view

UNHEARD_NS = 30_000_000_000
"""Two leases: who was not heard for so long is not there, whatever was written about it last."""


class ListWorkers(Request, frozen=True, kw_only=True):
    """Every worker that ever joined; with `gone` also those that went."""

    gone: bool = False


class WorkerEntry(Reply, frozen=True, kw_only=True):
    """One worker. `busy` of its `slots` are at work; `jobs` are those it holds, also behind others in one slot.

    `parsers` are the only ones it may run, none means every one. `key` is `admitted`, `revoked`, or `none` for one
    that needs none.
    """

    name: str
    state: WorkerState
    host: str
    pid: int
    slots: int
    busy: int
    free: int
    jobs: int
    isolation: str
    labels: dict[str, str]
    environments: list[str]
    parsers: list[str]
    product: str
    key: str
    joined: str
    seen: str
    seen_seconds: float


class WorkerList(Reply, frozen=True, kw_only=True):
    """Workers by name."""

    workers: list[WorkerEntry]


class ShowWorker(Request, frozen=True, kw_only=True):
    """One worker by its name."""

    worker: str


class WorkerDetail(Reply, frozen=True, kw_only=True):
    """One worker and the jobs that it holds, a thousand at most."""

    worker: WorkerEntry
    holds: list[str]


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


OPERATIONS = (
    Operation("worker.list", ListWorkers, WorkerList, Effect.READ, list_, "Workers that are there."),
    Operation("worker.show", ShowWorker, WorkerDetail, Effect.READ, show, "One worker, and the jobs that it holds."),
)
