"""Keeps the host's own memory and environment out of reach of guests, which run as the same user."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_PR_SET_DUMPABLE = 4


@cache
def shield_host() -> bool:
    """Make this process non-dumpable, so that no process of the same user reads it; whether that holds.

    Only Linux can. It also means that a debugger of the same user cannot attach to this process.
    """
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
