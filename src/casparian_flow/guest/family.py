"""The processes that this one started, and those that guests left behind when they died: these are ended."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from casparian_flow.guest.shield import adopt_orphans

_REAP_SECONDS = 10.0
_POLL_SECONDS = 0.002


class Process(Protocol):
    """A process that was started here."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...


P = TypeVar("P", bound=Process)


class Family:
    """What a process starts it starts here: once it adopts, every other child of it is a stray. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Process] = {}
        self._adopts = False

    def adopt(self) -> None:
        """From now on what is left behind below this process becomes a child of it, for `end_strays` (Linux).

        Only for a process of our own: in anybody else's, children that we do not know are not ours to end.
        """
        adopt_orphans()
        self._adopts = True

    def start(self, begin: Callable[[], P]) -> P:
        """The process that `begin` starts, known until `forget`."""
        with self._lock:
            process = begin()
            self._known[process.pid] = process
            return process

    def forget(self, process: Process) -> None:
        """It has ended, and was waited for.

        Its number may belong to another process by now, which stays known: as a stray it would be killed and reaped
        here, and whoever waits for it be told that it ended with 0.
        """
        with self._lock:
            if self._known.get(process.pid) is process:
                del self._known[process.pid]

    def end(self) -> None:
        """Kill what was started here and not forgotten; whoever waits for one of these sees its end."""
        with self._lock:
            for process in self._known:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def end_strays(self) -> None:
        """Kill what nobody here started, and what that leaves in turn; does nothing in a process that adopts nobody."""
        if not self._adopts:
            return
        deadline = time.monotonic() + _REAP_SECONDS
        with self._lock:
            while (strays := children_of(os.getpid()) - self._known.keys()) and time.monotonic() < deadline:
                for stray in strays:
                    with suppress(ProcessLookupError):
                        os.kill(stray, signal.SIGKILL)
                    with suppress(ChildProcessError):
                        os.waitpid(stray, os.WNOHANG)
                time.sleep(_POLL_SECONDS)


def children_of(process: int) -> set[int]:
    """The children of a process, dead ones that nobody waited for included; none where the kernel does not tell."""
    found: set[int] = set()
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # that thread is gone
            found |= {int(child) for child in children.read_text().split()}
    return found


FAMILY = Family()
"""Of this process."""
