"""Waits for the end of a process that is not a child of this one."""

from __future__ import annotations

import os
import select


def wait_until_ended(pid: int, seconds: float | None) -> bool:
    """Whether the process ended within so many seconds; without a limit, when it did."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([process], [], [], seconds)
    finally:
        os.close(process)
    return bool(ready)
