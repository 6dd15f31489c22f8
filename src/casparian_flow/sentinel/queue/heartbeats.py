"""What heartbeats say of attempts: leases are extended, progress is kept, orders that never arrived are noticed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from casparian_flow.core.jobs import JobPhase
from casparian_flow.protocol.bodies import Cast, Heartbeat, Parse, Printed, Progress
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.queue.attempts import Attempts
from casparian_flow.sentinel.queue.leases import LEASE_NS, WRITE_EVERY_NS, Lease, Leases
from casparian_flow.sentinel.queue.sessions import Session
from casparian_flow.store import job_ends
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database

MISSES = 10
"""Orders in a row that may be lost on the way; after them each counts as a failure of its jobs."""
MOST_PRINTED = 256 << 10
"""Characters that are kept of what a parser printed in one attempt: a worker that sends more is not one of ours."""
REMEMBERED = 65_536
MOST_STRANGE = 1_000
"""Attempts to be stopped that one heartbeat brings; the next one names the others again."""
_AT_WORK = frozenset(JobPhase) - {JobPhase.STARTING, JobPhase.STOPPING}
ASKING = frozenset({JobPhase.SEALED, JobPhase.PROMOTING, JobPhase.STOPPING})
"""Whoever is there asks until it is answered. To stop it unasked could undo what is held or permitted meanwhile."""
Strange = tuple[int, int]
"""Job and attempt of which a worker speaks though it does not have it."""


class Heartbeats:
    """Takes heartbeats in."""

    def __init__(self, database: Database, leases: Leases, attempts: Attempts, notify: Notify) -> None:
        self._database = database
        self._leases = leases
        self._attempts = attempts
        self._notify = notify
        self._printed: OrderedDict[tuple[str, int, int], int] = OrderedDict()

    def granted(self, session: Session, lease: Lease) -> None:
        """A worker was given an attempt: from now on it may say what the parser prints, even after its end."""
        self._printed[session.nonce, lease.job, lease.attempt] = 0
        if len(self._printed) > REMEMBERED:
            self._printed.popitem(last=False)

    def hush(self, lease: Lease) -> None:
        """Nothing more is kept of what the parser prints in that attempt."""
        if lease.holder is not None:
            self._printed[lease.holder, lease.job, lease.attempt] = MOST_PRINTED

    def hush_ended(self) -> None:
        """Nor of any that is over: what was still under way is little, and nobody can say any more what is in it."""
        for key in self._printed:
            if self._leases.held(*key) is None:
                self._printed[key] = MOST_PRINTED

    def take(self, session: Session, beat: Heartbeat, sent: int, now_ns: int) -> list[Strange]:
        """Take one in; the attempts that its worker names and does not have are returned, to be stopped.

        `sent` is the number of the last message that left: nobody has seen a later one, whatever it says.
        """
        session.free = min(beat.free, session.profile.slots)
        session.seen = max(session.seen, min(beat.seen, sent))
        session.is_draining = session.is_draining or beat.leaving
        strange: list[Strange] = []
        told: list[dict[str, Any]] = []
        named: dict[int, JobPhase] = {}
        found: list[tuple[Lease, Progress]] = []
        for each in beat.progress:
            lease = self._leases.held(session.nonce, each.job, each.attempt)
            if lease is not None and (group := self._named_by(lease, each)) is not None:
                named[each.job] = each.phase
                found += [(one, each) for one in group]
            elif each.phase not in ASKING and len(strange) < MOST_STRANGE:
                strange.append((each.job, each.attempt))
        self._attempts.begun((lease for lease, said in found if said.phase in _AT_WORK), now_ns)
        for lease, said in found:
            self._progress(session, lease, said, told, now_ns)
        if told:
            with self._database.transaction() as connection:
                job_store.tell(connection, told)
        for printed in beat.printed:
            self._keep(session, printed)
        self._find_lost(session, named, now_ns)
        return strange

    def _named_by(self, lease: Lease, said: Progress) -> list[Lease] | None:
        """The attempts that a word is about: of a surveyed group only its leader is named. None if one is missing."""
        if said.phase is not JobPhase.SURVEYED or len(lease.group) < 2 or lease.group[0] != lease.job:
            return [lease]
        return self._attempts.group_of(lease)

    def _progress(
        self, session: Session, lease: Lease, said: Progress, told: list[dict[str, Any]], now_ns: int
    ) -> None:
        lease.is_reported = True
        session.misses = 0
        lease.until_ns = now_ns + LEASE_NS
        silent = max(0, now_ns - said.silent_ms * 1_000_000) if said.silent_ms >= 1000 else None
        has_news = lease.phase is not said.phase or lease.rows != said.rows or lease.bytes != said.bytes
        is_late = now_ns - lease.written_ns >= WRITE_EVERY_NS
        was_silent, is_silent = lease.silent_since_ns is not None, silent is not None
        if not (has_news or is_late or was_silent or is_silent):
            return  # thousands may wait, and nothing is new about them
        lease.phase, lease.rows, lease.bytes = said.phase, said.rows, said.bytes
        if is_late or was_silent != is_silent or has_news:
            lease.written_ns, lease.silent_since_ns = now_ns, silent
            told.append(
                {
                    "job": lease.job,
                    "of_attempt": lease.attempt,
                    "until_ns": lease.until_ns,
                    "now_doing": said.phase,
                    "rows": said.rows,
                    "bytes": said.bytes,
                    "silent": silent,
                    "of_worker": session.name,
                    "of_session": session.nonce,
                }
            )
        if has_news:
            self._notify(
                "job.progressed",
                {
                    "job": lease.job,
                    "plan": lease.plan,
                    "attempt": lease.attempt,
                    "phase": str(said.phase),
                    "rows": said.rows,
                    "bytes": said.bytes,
                    "silent_ms": said.silent_ms,
                },
            )

    def _keep(self, session: Session, printed: Printed) -> None:
        """Keep lines of an attempt that the worker has or had; told again they stay as they are."""
        key = (session.nonce, printed.job, printed.attempt)
        if self._leases.held(*key) is not None:
            self._printed.setdefault(key, 0)  # a sentinel before this one gave it out
        size = sum(len(line.text) + 1 for line in printed.lines)
        if key not in self._printed or self._printed[key] + size > MOST_PRINTED or printed.first >= MOST_PRINTED:
            return
        self._printed[key] += size
        with self._database.transaction() as connection:
            job_ends.add_log_lines(connection, printed.job, printed.attempt, printed.first, printed.lines)

    def _find_lost(self, session: Session, named: dict[int, JobPhase], now_ns: int) -> None:
        """Orders that must have arrived by now, and of which the worker knows nothing."""
        for seq in [seq for seq in session.sent if seq <= session.seen]:
            order = session.sent[seq].order
            if isinstance(order, Cast) and self._may_wait(session, order, named):
                continue
            del session.sent[seq]
            for lease in self._unknown(session, order, named):
                session.misses += 1
                if isinstance(order, Cast):
                    session.casts.append(lease.job)
                elif session.misses > MISSES:
                    self._attempts.lost(lease, "its orders never arrive at the worker", now_ns)
                else:
                    self._attempts.give_back(lease, now_ns)

    def _may_wait(self, session: Session, order: Cast, named: dict[int, JobPhase]) -> bool:
        """Whether nothing tells what became of a cast: not every heartbeat names what waits at a worker."""
        leader = order.jobs[0].job
        return leader.job not in named and bool(self._leases.held(session.nonce, leader.job, leader.attempt))

    def _unknown(self, session: Session, order: Parse | Cast, named: dict[int, JobPhase]) -> Iterator[Lease]:
        if isinstance(order, Cast):
            leader = order.jobs[0].job
            lease = self._leases.held(session.nonce, leader.job, leader.attempt)
            if lease is not None and named.get(lease.job) is JobPhase.SURVEYED:
                yield lease
            return
        for job in order.jobs:
            lease = self._leases.held(session.nonce, job.job, job.attempt)
            if lease is not None and not lease.is_reported:
                yield lease
