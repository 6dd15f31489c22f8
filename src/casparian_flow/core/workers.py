"""What a worker is to its sentinel."""

from __future__ import annotations

from enum import StrEnum


class WorkerState(StrEnum):
    """Where a worker stands."""

    PRESENT = "present"
    DRAINING = "draining"
    """It finishes what it holds and gets nothing more."""
    LOST = "lost"
    """Nothing was heard of it for the length of a lease."""
    GONE = "gone"
    """It said that it ends, or was removed."""
