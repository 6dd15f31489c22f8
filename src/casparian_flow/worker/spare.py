"""One guest that is under way before anybody knows its order: starting takes it as long as planning takes its host."""

from __future__ import annotations

import contextlib
import os
import threading

from casparian_flow.worker.guest import Guest, fresh_guest
from casparian_flow.worker.shield import shield_host

CORES = 2
"""With fewer the guest would start in the time of its host."""


class Spare:
    """A process that has run no code of any parser; whoever is first gets it. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guest: Guest | None = None

    def start(self) -> None:
        """Have one started where that costs nobody time; where it cannot be, there is none."""
        if len(os.sched_getaffinity(0)) < CORES:
            return
        shield_host()
        with contextlib.suppress(OSError):  # whoever needs a guest will see that none can be started
            self._guest = fresh_guest()

    def take(self) -> Guest | None:
        """The guest, which is the caller's from now on; None if there is none, or none any more."""
        with self._lock:
            guest, self._guest = self._guest, None
        if guest is not None and guest.has_exited:
            guest.end()
            return None
        return guest

    def close(self) -> None:
        """End it if nobody took it."""
        if (guest := self.take()) is not None:
            guest.end()
