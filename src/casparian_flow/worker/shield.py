"""What a worker's process asks of the kernel: to keep guests out of its memory, and to tell it of its parent's end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from functools import cache

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


@cache
def shield_host() -> bool:
    """Make this process non-dumpable, so that no process of the same user reads it; whether that holds.

    Only Linux can. It also means that a debugger of the same user cannot attach to this process.
    """
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)


def end_with_parent(parent: int) -> None:
    """Have this process interrupted, as by Ctrl-C, when the thread of `parent` that started it ends (Linux)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), signal.SIGINT)
