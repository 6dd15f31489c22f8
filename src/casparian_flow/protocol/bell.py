"""A bell: any thread rings it, the one that polls its descriptor wakes up."""

from __future__ import annotations

import contextlib
import os
from threading import RLock


class Bell:
    """Rings that nobody has heard yet count as one."""

    def __init__(self) -> None:
        self._heard, self._rung = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._rung, False)
        self._is_open = True
        self._lock = RLock()  # of the same thread too: a signal may ring while its handler's thread rings

    def fileno(self) -> int:
        """Readable while a ring has not been heard."""
        return self._heard

    def ring(self) -> None:
        """Never waits; after `close` it does nothing."""
        with self._lock:
            if self._is_open:
                with contextlib.suppress(BlockingIOError):  # full: it rings already
                    os.write(self._rung, b"!")

    def hear(self) -> None:
        """Takes every ring so far."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._heard, 4096):
                pass

    def close(self) -> None:
        """Gives the descriptors back."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._heard)
                os.close(self._rung)
