"""Steps done in order on a thread of their own, a few behind whoever orders them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

MOST = 64
MOST_BYTES = 16 << 20
"""Steps that may wait, and the bytes that they hold; more make the caller wait. To encode a row group of Parquet takes
as long as to read the rows of the next one as their types: where much less may wait, the two threads take turns."""
LINGERS_SECONDS = 1.0
"""A thread waits so long for the next step: to begin one for each costs whoever orders it a third of a millisecond."""


class Behind:
    """A thread that exists only from the first step until it is told that it was the last, or none came for a while."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._steps: deque[tuple[Callable[[], None], int]] = deque()
        self._bytes = 0
        self._is_running = False
        self._is_leaving = False
        """Whether somebody waits for the thread to end."""
        self._error: BaseException | None = None

    def do(self, step: Callable[[], None], size: int = 0) -> None:
        """Have a step done after those before it; raises what an earlier one raised, and then does no more.

        `size` are the bytes that it holds until it has begun.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._steps) < MOST and self._bytes < MOST_BYTES)
            self._raise()
            self._steps.append((step, size))
            self._bytes += size
            self._changed.notify_all()
            if not self._is_running:
                try:
                    threading.Thread(target=self._work, daemon=True).start()
                except RuntimeError:  # no more threads: nobody is at work, and nobody may wait for it
                    self._forget()
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
            self._forget()
            self._leave()

    def _forget(self) -> None:
        self._steps.clear()
        self._bytes = 0
        self._changed.notify_all()

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
                step, size = self._steps.popleft()
                self._bytes -= size
                self._changed.notify_all()
            try:
                step()
            except BaseException as exc:
                with self._changed:
                    self._error = exc
                    self._forget()
