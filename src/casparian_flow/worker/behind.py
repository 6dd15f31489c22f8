"""Steps done in order on a thread of their own, a few behind whoever orders them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

MOST = 4
"""Steps that may wait; more make the caller wait."""
LINGERS_SECONDS = 1.0
"""A thread waits so long for the next step: to begin one for each costs whoever orders it a third of a millisecond."""


class Behind:
    """A thread that exists only from the first step until it is told that it was the last, or none came for a while."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._steps: deque[Callable[[], None]] = deque()
        self._is_running = False
        self._is_leaving = False
        """Whether somebody waits for the thread to end."""
        self._error: BaseException | None = None

    def do(self, step: Callable[[], None]) -> None:
        """Have a step done after those before it; raises what an earlier one raised, and then does no more."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._steps) < MOST)
            self._raise()
            self._steps.append(step)
            self._changed.notify_all()
            if not self._is_running:
                try:
                    threading.Thread(target=self._work, daemon=True).start()
                except RuntimeError:  # no more threads: nobody is at work, and nobody may wait for it
                    self._steps.clear()
                    raise
                self._is_running = True

    def finish(self) -> None:
        """Return when every step is done; raises what one of them raised."""
        with self._changed:
            self._leave()
            self._raise()

    def stop(self) -> None:
        """Forget the steps that have not begun, and return when none is at work."""
        with self._changed:
            self._steps.clear()
            self._leave()

    def _leave(self) -> None:
        self._is_leaving = True
        self._changed.notify_all()
        self._changed.wait_for(lambda: not self._is_running)
        self._is_leaving = False

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._steps or self._is_leaving, LINGERS_SECONDS)
                if not self._steps:
                    self._is_running = False
                    self._changed.notify_all()
                    return
                step = self._steps.popleft()
                self._changed.notify_all()
            try:
                step()
            except BaseException as exc:
                with self._changed:
                    self._error = exc
                    self._steps.clear()
