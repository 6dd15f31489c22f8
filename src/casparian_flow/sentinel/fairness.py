"""Which claim of a worker takes the oldest job instead of the most urgent one, so that nothing starves."""

from __future__ import annotations

from collections import Counter

OLDEST_EVERY = 8


class Turns:
    """Counts the claims of each worker.

    The law: a job that is due is taken after at most 8 · (n + 1) claims of any worker that may do it, if n older jobs
    that it may do are due too; whatever arrives meanwhile, however urgent, and whatever other workers do.
    For each eighth claim takes the oldest, other claims only make those fewer, and what arrives is never older.
    Counting all workers together would not do: every eighth claim could be one of a worker that may not do the job.
    """

    def __init__(self) -> None:
        self._claims: Counter[str] = Counter()

    def takes_oldest(self, worker: str) -> bool:
        """Whether this claim, which is counted, takes the oldest job."""
        self._claims[worker] += 1
        return self._claims[worker] % OLDEST_EVERY == 0

    def forget(self, worker: str) -> None:
        """The worker does not come back."""
        del self._claims[worker]
