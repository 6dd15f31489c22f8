"""Workers: who is there, what each can do and holds; and sending one away."""

from __future__ import annotations

from casparian_flow.core.workers import WorkerState
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


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


class DrainWorker(Request, frozen=True, kw_only=True):
    """A worker that finishes what it holds and gets nothing more."""

    worker: str


class RemoveWorker(Request, frozen=True, kw_only=True):
    """A worker that is sent away: its attempts are fenced and queued again, and its keys admit nobody any more."""

    worker: str


class WorkerChanged(Reply, frozen=True, kw_only=True):
    """The worker afterwards. `keys` are those that were revoked; it `is_changed` unless it was so before."""

    worker: WorkerEntry
    keys: int
    is_changed: bool


OPERATIONS = (
    Operation(
        "worker.drain",
        DrainWorker,
        WorkerChanged,
        Effect.EXECUTE,
        "service.workers.drain",
        "Let a worker finish what it holds, and give it nothing more.",
    ),
    Operation("worker.list", ListWorkers, WorkerList, Effect.READ, "service.workers.list_", "Workers that are there."),
    Operation(
        "worker.remove",
        RemoveWorker,
        WorkerChanged,
        Effect.EXECUTE,
        "service.workers.remove",
        "Send a worker away for good: what it holds is given to others, and its keys open nothing any more.",
    ),
    Operation(
        "worker.show",
        ShowWorker,
        WorkerDetail,
        Effect.READ,
        "service.workers.show",
        "One worker, and the jobs that it holds.",
    ),
)
