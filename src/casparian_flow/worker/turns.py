"""Whose turn it is in one order: which job its guest may be at, and which of the others nobody wants any more."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

from casparian_flow.worker.cancel import CancelToken


class Turns:
    """Shared by the slot that works on the order and whoever wants some of its jobs stopped.

    A job is in a guest from the moment that it may begin until its section is closed. Only while it is there does
    stopping it end the guest; before, it is never begun, and afterwards the slot alone knows how far it is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: set[int] = set()
        self._unwanted: set[int] = set()
        self._current: frozenset[int] = frozenset()
        self._guest = CancelToken()

    def start(self, job: int) -> CancelToken | None:
        """A new guest may begin with this job; what is cancelled to end that guest. None if nobody wants the job."""
        return self.start_together([job])

    def start_together(self, jobs: Collection[int]) -> CancelToken | None:
        """These jobs are worked on as one; what is cancelled to end that. None if one of them is not wanted."""
        with self._lock:
            self._guest = CancelToken()
            return self._guest if self._go_on(jobs) else None

    def next(self, job: int | None) -> bool:
        """The current job is closed; whether the guest may begin with this one."""
        with self._lock:
            return self._go_on([] if job is None else [job])

    def leave(self, jobs: Iterable[int]) -> None:
        """These are done: stopping them does not end what goes on with the others."""
        with self._lock:
            self._current = self._current.difference(jobs)

    def stop(self, job: int) -> bool:
        """Stop one job; whether it never began and never will. Else its slot tells when it is over."""
        with self._lock:
            self._unwanted.add(job)
            if job in self._current:
                self._guest.cancel()
            return job not in self._begun

    def is_wanted(self, job: int) -> bool:
        """Whether nobody has stopped the job."""
        return job not in self._unwanted

    def stop_all(self, jobs: Collection[int]) -> None:
        """Stop every one of these jobs."""
        for job in jobs:
            self.stop(job)

    def _go_on(self, jobs: Collection[int]) -> bool:
        self._current = frozenset()
        if not jobs or self._unwanted.intersection(jobs):
            return False
        self._current = frozenset(jobs)
        self._begun.update(jobs)
        return True
