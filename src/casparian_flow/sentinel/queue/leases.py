"""Which worker has which attempt, until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from casparian_flow.core.jobs import JobPhase, JobState
from casparian_flow.protocol.bodies import Parse
from casparian_flow.protocol.messages import JobOrder

LEASE_NS = 15_000_000_000
WRITE_EVERY_NS = 5_000_000_000
"""A lease that is extended without any other news is written so often."""


@dataclass(slots=True)
class Lease:
    """One attempt that is out. `holder` is the boot nonce of its worker; None after a restart, until it identifies.

    `session` is the nonce that the store has of it, which only differs from the holder while that is None.
    `is_reported`: its worker has named it once; `is_surveyed`: it has told what it found, not only that it has.
    `order` and `parse` are what it was told to do, unknown after a restart. `group` are the jobs that were surveyed
    with it, leader first, and `tables` those of its outputs once they are chosen.
    """

    job: int
    attempt: int
    plan: int
    parser: int
    failures: int
    holder: str | None
    session: str | None
    until_ns: int
    state: JobState = JobState.DISPATCHED
    phase: JobPhase = JobPhase.STARTING
    order: JobOrder | None = None
    parse: Parse | None = None
    group: tuple[int, ...] = ()
    tables: dict[str, str] | None = None
    is_reported: bool = False
    is_surveyed: bool = False
    is_cancelled: bool = False
    abort_due_ns: int = 0
    written_ns: int = 0
    rows: int = 0
    bytes: int = 0
    silent_since_ns: int | None = None


class Leases:
    """Every attempt that is dispatched or running; those that wait sealed for the end of their run are in no hands."""

    def __init__(self) -> None:
        self._by_job: dict[int, Lease] = {}
        self._cancelled: dict[int, Lease] = {}
        self._look_at_ns = 0

    def __iter__(self) -> Iterator[Lease]:
        return iter(list(self._by_job.values()))

    def __len__(self) -> int:
        return len(self._by_job)

    def add(self, lease: Lease) -> None:
        """An attempt goes out."""
        self._by_job[lease.job] = lease
        if lease.is_cancelled:
            self._cancelled[lease.job] = lease

    def of_job(self, job: int) -> Lease | None:
        """The attempt of a job that is out."""
        return self._by_job.get(job)

    def held(self, nonce: str, job: int, attempt: int) -> Lease | None:
        """The attempt, if that worker has it; whoever speaks of any other is behind its time."""
        lease = self._by_job.get(job)
        return lease if lease is not None and (lease.holder, lease.attempt) == (nonce, attempt) else None

    def of(self, nonce: str) -> list[Lease]:
        """Everything that a worker has."""
        return [lease for lease in self._by_job.values() if lease.holder == nonce]

    def drop(self, job: int) -> None:
        """The attempt is over, held, or permitted."""
        self._by_job.pop(job, None)
        self._cancelled.pop(job, None)

    def cancel(self, lease: Lease) -> None:
        """Nobody wants the attempt any more; its worker is told until it answers."""
        lease.is_cancelled = True
        self._cancelled[lease.job] = lease

    def cancelled(self) -> list[Lease]:
        """The attempts that are to be stopped."""
        return list(self._cancelled.values())

    def shift(self, by_ns: int) -> None:
        """So much of the clock does not count: whoever had time left has as much now."""
        self._look_at_ns = 0
        for lease in self._by_job.values():
            lease.until_ns += by_ns
            lease.abort_due_ns += by_ns
            lease.written_ns += by_ns

    def take_expired(self, now_ns: int) -> list[Lease]:
        """The attempts of which nothing was heard for too long; looked for now and then only."""
        if now_ns < self._look_at_ns:
            return []
        self._look_at_ns = now_ns + LEASE_NS // 60
        return [lease for lease in self._by_job.values() if lease.until_ns <= now_ns]
