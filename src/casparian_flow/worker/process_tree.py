"""Ends a process with all of its descendants, those that left its group or session included (Linux)."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_ROUNDS = 50
"""How often to look again: each round kills whatever was forked since the last."""


def kill_tree(leader: int) -> None:
    """SIGKILL to the group that `leader` leads and to all its descendants; a process that is gone is no error.

    A guest adopts the orphans among its descendants (`guest.shield`), so while it lives they are all to be found.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGSTOP)  # what it forks now it cannot hide
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = _descendants(leader) - killed
        if not found:
            break
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        killed |= found
    kill_group(leader)


def kill_group(leader: int) -> None:
    """SIGKILL to what is left of the group.

    The leader may be reaped: the group keeps its number as long as a member lives, and without members the call
    fails, since the kernel does not hand a number out again that soon.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _descendants(process: int) -> set[int]:
    found: set[int] = set()
    pending = [process]
    while pending:
        for children in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # that thread is gone
                new = {int(child) for child in children.read_text().split()} - found
                found |= new
                pending += new
    return found
