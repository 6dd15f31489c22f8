"""The wish to stop, which may come from any thread at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancelled(Exception):
    """Somebody wanted this to stop."""


class CancelToken:
    """Set once and never unset. What must happen at once (killing a guest) registers with `calling`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._actions: list[Callable[[], None]] = []

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wants this to stop."""
        return self._cancelled

    def check(self) -> None:
        """Raises Cancelled if somebody wants this to stop."""
        if self._cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """Run the registered actions, in this thread; later calls change nothing."""
        with self._lock:
            self._cancelled = True
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    @contextmanager
    def calling(self, action: Callable[[], None]) -> Iterator[None]:
        """While the block runs, cancelling calls `action`; at once if it was cancelled before."""
        with self._lock:
            late = self._cancelled
            if not late:
                self._actions.append(action)
        if late:
            action()
        try:
            yield
        finally:
            with self._lock:
                if action in self._actions:
                    self._actions.remove(action)
