"""Ends a process with all of its descendants, those that left its group or session included (Linux)."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable

from casparian_flow.guest.family import children_of

_ROUNDS = 50
"""How often to look again: each round kills whatever was forked since the last."""


def kill_tree(leader: int) -> list[int]:
    """SIGKILL to `leader`, to its group and to all its descendants; a process that is gone is no error.

    A guest adopts the orphans among its descendants (`guest.shield`), so while it lives they are all to be found. The
    answer are process descriptors of the descendants, for `wait_until_dead`: the signal is on its way, no more.
    """
    handles: list[int] = []
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGSTOP)  # what it forks now it cannot hide
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = _descendants(leader) - killed
        if not found:
            break
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                try:
                    handles.append(os.pidfd_open(process))
                except ProcessLookupError:
                    continue
                except OSError:  # more of them than we may open: they are killed, if not waited for
                    os.kill(process, signal.SIGKILL)
                else:
                    signal.pidfd_send_signal(handles[-1], signal.SIGKILL)
        killed |= found
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGKILL)  # it may not have made its group yet
    kill_group(leader)
    return handles


def wait_until_dead(handles: Iterable[int], seconds: float) -> bool:
    """Close process descriptors as soon as their processes have died; whether all did within so many seconds."""
    poll = select.poll()
    waiting = set(handles)
    for handle in waiting:
        poll.register(handle, select.POLLIN)
    deadline = time.monotonic() + seconds
    while waiting and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            os.close(handle)
            waiting.discard(handle)
    for handle in waiting:
        os.close(handle)
    return not waiting


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
        new = children_of(pending.pop()) - found
        found |= new
        pending += new
    return found
