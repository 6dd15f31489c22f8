"""Backtests: what a parser would make of files that were read before, without writing a row anywhere."""

from __future__ import annotations

import msgspec

from casparian_flow.core.backtests import BacktestOutcome
from casparian_flow.operations.limits import SlotCount
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class RunBacktest(Request, frozen=True, kw_only=True):
    """A parser, by its name or its path, and what it is tried on.

    `on` are tags and paths of files that a scan found; none is every file that the parser would be given. It stops
    after `max_files`, once `stop_after_lost` rows would be lost, or once more than the share `stop_failing` of the
    files that landed before would fail. With `rekey` files that come out the same count as read this way. `workers`
    files are read at a time, else as many as a run would; what comes out is the same.
    """

    parser: str
    on: tuple[str, ...] = ()
    options: dict[str, str] = msgspec.field(default_factory=dict)
    max_files: int | None = None
    stop_after_lost: int | None = None
    stop_failing: float | None = None
    rekey: bool = False
    workers: SlotCount | None = None


class TableDigests(Reply, frozen=True, kw_only=True):
    """The digest of a file's accepted rows in one table, as they are there and as they would be; empty: none."""

    table: str
    old: str
    new: str


class FileOutcome(Reply, frozen=True, kw_only=True):
    """One file. Of its accepted rows those there would be more and fewer (`gained`, `lost`), and other (`changed`).

    `quarantined` rows would be rejected and are not now, `released` ones would be accepted and are rejected now; a
    rejected record that would be nowhere is lost, too.
    """

    path: str
    outcome: BacktestOutcome
    gained: int
    lost: int
    changed: int
    quarantined: int
    released: int
    digests: list[TableDigests]
    error: str | None


class BacktestEntry(Reply, frozen=True, kw_only=True):
    """One backtest and its sums. `files` are all that it is about: same, differing, failed and not run.

    `against` is the artifact whose rows are there; null where the parser has brought none. `ended` is null while it
    runs, or if it was stopped from outside.
    """

    backtest: str
    parser: str
    artifact: str
    against: str | None
    options: dict[str, str]
    on: list[str]
    files: int
    same: int
    differing: int
    failed: int
    not_run: int
    gained: int
    lost: int
    changed: int
    quarantined: int
    released: int
    rekeyed: int
    stop_reason: str | None
    asked_by: str
    started: str
    ended: str | None


class BacktestReply(Reply, frozen=True, kw_only=True):
    """A backtest, and up to twenty of the files that would come out otherwise, those that lose most first."""

    backtest: BacktestEntry
    worst: list[FileOutcome]
    next: str


class ListBacktests(Request, frozen=True, kw_only=True):
    """Every backtest."""


class BacktestList(Reply, frozen=True, kw_only=True):
    """Backtests, newest first."""

    backtests: list[BacktestEntry]


class ShowBacktest(Request, frozen=True, kw_only=True):
    """One backtest: its number, such as B-4, or @last."""

    backtest: str


class BacktestDetail(Reply, frozen=True, kw_only=True):
    """A backtest with the contracts that held, by table, and all of its files in the order of their turn."""

    backtest: BacktestEntry
    contracts: dict[str, str]
    files: list[FileOutcome]


class CompareBacktests(Request, frozen=True, kw_only=True):
    """Two backtests."""

    before: str
    after: str


class ComparedFile(Reply, frozen=True, kw_only=True):
    """A file that came out otherwise in each; null where a backtest is not about it."""

    path: str
    before: FileOutcome | None
    after: FileOutcome | None


class BacktestComparison(Reply, frozen=True, kw_only=True):
    """Both, how many files came out alike in both, and the others."""

    before: BacktestEntry
    after: BacktestEntry
    alike: int
    files: list[ComparedFile]


OPERATIONS = (
    Operation(
        "backtest.run",
        RunBacktest,
        BacktestReply,
        Effect.EXECUTE,
        "rehearsal.backtest.run",
        "What a parser would make of files that were read before.",
    ),
    Operation("backtest.list", ListBacktests, BacktestList, Effect.READ, "rehearsal.backtest.list_", "Every backtest."),
    Operation(
        "backtest.show", ShowBacktest, BacktestDetail, Effect.READ, "rehearsal.backtest.show", "One backtest, whole."
    ),
    Operation(
        "backtest.compare",
        CompareBacktests,
        BacktestComparison,
        Effect.READ,
        "rehearsal.backtest.compare",
        "What two backtests differ in.",
    ),
)
