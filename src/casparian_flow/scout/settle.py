"""How long a file must hold still before it is read, so that half a file is never taken for a whole one."""

from __future__ import annotations

from dataclasses import dataclass

from casparian_flow.store import settling
from casparian_flow.store.database import Database

LONGEST = 30
"""A file that never holds still is read after so many settle times: its newest state is a version too."""
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Settle:
    """The settle time of a watch, and when its present look began."""

    seconds: float
    began_ns: int
    trusts_times: bool = False
    """The file system has this machine's clock, so a file's times say since when it holds still."""
    is_partial: bool = False
    """The look is not at the whole source: only files that waited for it are read."""

    @property
    def settle_ns(self) -> int:
        """How long signs must have been the same at two looks."""
        return round(self.seconds * SECOND_NS)

    @property
    def longest_ns(self) -> int:
        """How long a file can be kept waiting by changing."""
        return LONGEST * self.settle_ns


def hold_changed(database: Database, source: int, scan: int, settle: Settle, now_ns: int) -> None:
    """Let what this scan saw change wait; `now_ns` is after the scan, so that its signs are no newer."""
    with database.transaction():
        settling.hold_changed(
            database.driver,
            source,
            scan,
            now_ns=now_ns,
            settle_ns=settle.settle_ns,
            longest_ns=settle.longest_ns,
            trusts_times=settle.trusts_times,
        )
