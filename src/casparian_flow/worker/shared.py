"""A worker's core as its threads share it: one at a time, each with the time of the one clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from casparian_flow.worker.actions import Action
from casparian_flow.worker.core import WorkerCore

T = TypeVar("T")


class SharedCore:
    """The core, its lock, and what wakes the thread that sends its messages."""

    def __init__(self, core: WorkerCore, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        self._core = core
        self._clock = clock
        self._wake = wake
        self._lock = threading.Lock()
        self._sleeps_until = 0.0

    def tell(self, say: Callable[[WorkerCore, float], T]) -> T:
        """Say something to the core, from any thread; what follows from it is sent soon."""
        with self._lock:
            answer = say(self._core, self._clock())
            is_late = self._core.has_news or self._core.wakes_at < self._sleeps_until
            if is_late:
                self._sleeps_until = 0.0  # once is enough
        if is_late:
            self._wake()
        return answer

    def take(self, received: list[bytes]) -> tuple[list[bytes], list[Action]]:
        """Let the core have these messages and the time; what it wants sent and done."""
        with self._lock:
            now = self._clock()
            for data in received:
                self._core.receive(data, now)
            self._core.tick(now)
            return self._core.take_outgoing(), self._core.take_actions()

    def sleep_seconds(self, most: float) -> float:
        """For how long nothing has to be done unless somebody wakes us."""
        with self._lock:
            now = self._clock()
            if self._core.has_news:
                return 0.0
            self._sleeps_until = min(self._core.wakes_at, now + most)
            return max(0.0, self._sleeps_until - now)
