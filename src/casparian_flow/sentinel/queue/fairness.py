"""Which claim for a worker takes the oldest job instead of the most urgent one, so that nothing starves.

The law: a job that is due is taken after at most 8 * (n + 1) claims for any one worker that may do it, where n counts
the older jobs that this worker may do, each time they fall due; whatever arrives meanwhile, however urgent, and
whatever other workers do. For each eighth claim takes the oldest, other claims only make those fewer, and what arrives
is younger.

Each worker has its own count: with one for all, every eighth claim could be that of a worker that may not do the job.
"""

from __future__ import annotations

OLDEST_EVERY = 8


def takes_oldest(claim: int) -> bool:
    """Whether a worker's claim of that number, counted from 1, takes the oldest job whatever its priority."""
    return claim % OLDEST_EVERY == 0
