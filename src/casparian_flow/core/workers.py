"""What a worker is to its sentinel."""

from __future__ import annotations

import re
from enum import StrEnum

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class WorkerState(StrEnum):
    """Where a worker stands."""

    PRESENT = "present"
    DRAINING = "draining"
    """It finishes what it holds and gets nothing more."""
    LOST = "lost"
    """Nothing was heard of it for the length of a lease."""
    GONE = "gone"
    """It said that it ends, or was removed."""


def is_worker_name(text: str) -> bool:
    """Whether a worker may be called so: 1 to 40 of `a-z A-Z 0-9 . _ -`, no sign first."""
    return _NAME.fullmatch(text) is not None
