"""Status: a home on one screen, and what to do next."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class AskStatus(Request, frozen=True, kw_only=True):
    """The whole home."""


class SourceStatus(Reply, frozen=True, kw_only=True):
    """One source; `scanned` is null until a scan has finished."""

    id: int
    root: str
    entries: int
    scanned: str | None


class TableStatus(Reply, frozen=True, kw_only=True):
    """One table in one sink: its current rows, and the contract in force."""

    table: str
    rows: int
    quarantined: int
    files: int
    contract: int | None
    origin: str | None
    sink: str


class OpenQuarantine(Reply, frozen=True, kw_only=True):
    """What waits in quarantine; `waived` rows are there, too, and wait for nobody any more."""

    rows: int
    files: int
    waived: int


class SentinelStatus(Reply, frozen=True, kw_only=True):
    """The sentinel that holds the home; `api` is where other machines ask, `listens` where workers join."""

    pid: int
    started: str
    product: str
    api: str | None
    listens: list[str]


class Status(Reply, frozen=True, kw_only=True):
    """One home. `next` are commands that make sense now, the first one most.

    `holder` is the process that works in it now. Jobs that are neither queued nor over without a holder were
    interrupted: `interrupted` counts them, and the next run puts them right; `replays` are on their way, or without a
    holder were interrupted, too. `dead_letters` are jobs that were given
    up after their last retry and not tried again since. `killed_sentinel` is the process of one that ended without
    saying so. `approvals` are the proposals of every kind that wait for a decision,
    `drafts` those that nobody proposed yet. `disk` are the bytes of the whole home.
    """

    home: str
    holder: str | None
    sentinel: SentinelStatus | None
    killed_sentinel: int | None
    interrupted: int
    replays: int
    sources: list[SourceStatus]
    files: dict[str, int]
    jobs: dict[str, int]
    tables: list[TableStatus]
    quarantine: OpenQuarantine
    gave_up: int
    dead_letters: int
    paused_parsers: int
    workers: int
    workers_lost: int
    contracts_without_review: int
    contracts_proposed: int
    approvals: int
    drafts: int
    disk: int
    next: list[str]


OPERATIONS = (
    Operation("status", AskStatus, Status, Effect.READ, "home.status.status", "The whole home on one screen."),
)
