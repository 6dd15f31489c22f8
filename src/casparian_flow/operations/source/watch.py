"""Watching: a scan or a run again and again, whenever files change."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.run.reply import RunReply
from casparian_flow.operations.run.run import RunFiles
from casparian_flow.operations.source.scan import ScanFiles, ScanReply


class Watched(Request, frozen=True, kw_only=True):
    """What is done whenever files change: a scan or a run, as it would be asked for once. Seconds default to settings.

    A file is taken when its size and time have held still for `settle_seconds`; everything is looked at every
    `reconcile_seconds`, whatever the file system said.
    """

    scan: ScanFiles | None = None
    run: RunFiles | None = None
    settle_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    reconcile_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None


class GrowingFile(Reply, frozen=True, kw_only=True):
    """A file that changed a moment ago: it is looked at again, and read when it holds still."""

    path: str
    since: str
    looked_again: str


class WatchRound(Reply, frozen=True, kw_only=True):
    """One round. `scan` or `run` is what a scan or a run would have answered; a round that reads no file has neither.

    `is_everything`: all of the sources was looked at. `growing` counts the files that wait, `examples` are some.
    """

    number: int
    at: str
    is_everything: bool
    new: int
    changed: int
    missing: int
    growing: int
    examples: list[GrowingFile]
    scan: ScanReply | None
    run: RunReply | None
    warnings: list[str]


class WatchEnded(Reply, frozen=True, kw_only=True):
    """What a watch brought: rounds that did something, files read, jobs, and rows."""

    rounds: int = 0
    files_read: int = 0
    completed: int = 0
    failed: int = 0
    accepted: int = 0
    quarantined: int = 0
    seconds: float = 0.0

    def and_round(self, ended: WatchRound) -> WatchEnded:
        """The same with one more round."""
        run, scan = ended.run, ended.scan
        return WatchEnded(
            rounds=self.rounds + 1,
            files_read=self.files_read + (run.run if run else scan.files_read if scan else 0),
            completed=self.completed + (run.completed if run else 0),
            failed=self.failed + (run.failed if run else 0),
            accepted=self.accepted + (run.accepted if run else 0),
            quarantined=self.quarantined + (run.quarantined if run else 0),
        )


class FollowFiles(Watched, frozen=True, kw_only=True):
    """A watch that lasts as long as who asked waits: `seconds`, or until interrupted."""

    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Followed(Reply, frozen=True, kw_only=True):
    """How often was looked; what came of it was reported with each `watch.round`."""

    looks: int


OPERATIONS = (
    Operation(
        "watch.follow",
        FollowFiles,
        Followed,
        Effect.EXECUTE,
        "source.watch.follow",
        "Scan or run whenever files change.",
    ),
)
