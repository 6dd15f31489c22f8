"""How many parsers work at once."""

from __future__ import annotations

import os

from casparian_flow.operations.context import Acting


def slot_count(acting: Acting, asked: int | None = None) -> int:
    """The number that was asked for, else that of the settings, of which 0 means one per core."""
    return asked or acting.settings.run.workers or len(os.sched_getaffinity(0))
