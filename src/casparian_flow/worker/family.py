"""The processes that this one started, and those that guests left behind when they died: these are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from casparian_flow.guest.shield import adopt_orphans
from casparian_flow.worker.process_tree import children_of

_REAP_SECONDS = 10.0
_POLL_SECONDS = 0.002

Process = subprocess.Popen[bytes]


class Family:
    """What a process starts it starts here: once it adopts, every other child of it is a stray. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[int] = set()
        self._adopts = False

    def adopt(self) -> None:
        """From now on what is left behind below this process becomes a child of it, for `end_strays` (Linux).

        Only for a process of our own: in anybody else's, children that we do not know are not ours to end.
        """
        adopt_orphans()
        self._adopts = True

    def start(self, begin: Callable[[], Process]) -> Process:
        """The process that `begin` starts, known until `forget`."""
        with self._lock:
            process = begin()
            self._known.add(process.pid)
            return process

    def forget(self, process: Process) -> None:
        """It has ended, and was waited for."""
        with self._lock:
            self._known.discard(process.pid)

    def end_strays(self) -> None:
        """Kill what nobody here started, and what that leaves in turn; does nothing in a process that adopts nobody."""
        if not self._adopts:
            return
        deadline = time.monotonic() + _REAP_SECONDS
        with self._lock:
            while (strays := children_of(os.getpid()) - self._known) and time.monotonic() < deadline:
                for stray in strays:
                    with suppress(ProcessLookupError):
                        os.kill(stray, signal.SIGKILL)
                    with suppress(ChildProcessError):
                        os.waitpid(stray, os.WNOHANG)
                time.sleep(_POLL_SECONDS)


FAMILY = Family()
"""Of this process."""
