"""Which workers are here: they identify themselves, are heard, leave, are drained and removed."""

from __future__ import annotations

import json

import msgspec

from casparian_flow.core.jobs import JobPhase
from casparian_flow.core.workers import WorkerState
from casparian_flow.protocol.bodies import Identify
from casparian_flow.sentinel.commit.committing import Committing
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.queue.attempts import Attempts
from casparian_flow.sentinel.queue.heartbeats import ASKING
from casparian_flow.sentinel.queue.leases import LEASE_NS, WRITE_EVERY_NS, Leases
from casparian_flow.sentinel.queue.sessions import Session, Sessions
from casparian_flow.store import workers as worker_store
from casparian_flow.store.database import Database

RECONNECT_NS = 5_000_000_000
"""So long a worker whose connection broke may take to come back before its attempts are given to others."""
MOST_WORKERS = 4_096


class Presence:
    """Keeps the sessions, their registry in the store, and the leases of those who are gone."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        leases: Leases,
        attempts: Attempts,
        committing: Committing,
        notify: Notify,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._leases = leases
        self._attempts = attempts
        self._committing = committing
        self._notify = notify
        self._left_behind = False

    def take_left_behind(self) -> bool:
        """Whether a worker went away since the last time while it made rows visible."""
        left, self._left_behind = self._left_behind, False
        return left

    def identified(self, peer: bytes, nonce: str, profile: Identify, name: str, now_ns: int) -> Session | None:
        """A worker said who it is: the same again, back over another connection, restarted, or new.

        None if there are too many workers.
        """
        session = self._sessions.of_nonce(nonce)
        if session is not None:
            session.profile, session.heard_ns, session.is_connected = profile, now_ns, True
            if session.peer != peer:
                self._sessions.move(session, peer)
            return session
        if len(self._sessions) >= MOST_WORKERS:
            return None
        before = self._sessions.of_peer(peer)
        if before is not None:
            self.gone(before, WorkerState.GONE, "its worker was started again", now_ns)
        name = self._sessions.free_name(name, nonce, now_ns)
        if (before := self._sessions.named(name)) is not None:
            self.gone(before, WorkerState.GONE, "its worker was started again", now_ns)
        session = Session(peer=peer, nonce=nonce, name=name, profile=profile, heard_ns=now_ns)
        with self._database.transaction() as connection:
            session.is_draining = worker_store.state_of(connection, name) is WorkerState.DRAINING
            worker_store.join(connection, _row(session, now_ns))
        session.written_ns = now_ns
        self._sessions.add(session)
        self._notify("worker.joined", {"worker": name, "slots": profile.slots})
        return session

    def adopt(self, session: Session, now_ns: int) -> list[tuple[int, int]]:
        """Match what a worker says it holds with what is out; the attempts that it must stop are returned.

        What a sentinel before this one was told about the rows of a surveyed attempt is lost: it is read again.
        """
        strange = []
        for holding in session.profile.holding:
            lease = self._leases.of_job(holding.job)
            if lease is not None and (lease.holder, lease.session, lease.attempt) == (
                None,
                session.nonce,
                holding.attempt,
            ):
                lease.holder, lease.phase, lease.is_reported = session.nonce, holding.phase, True
                lease.until_ns = now_ns + LEASE_NS
                if holding.phase is JobPhase.SURVEYED and not lease.is_cancelled:
                    self._attempts.give_back(lease, now_ns)
            held = self._leases.held(session.nonce, holding.job, holding.attempt)
            if held is None and holding.phase not in ASKING:
                strange.append((holding.job, holding.attempt))
        session.profile = msgspec.structs.replace(session.profile, holding=[])  # read once, and may be long
        return strange

    def disconnected(self, session: Session, now_ns: int) -> None:
        """A connection broke: nothing new is sent there, and what is out has less time."""
        session.is_connected = False
        session.heard_ns = min(session.heard_ns, now_ns - LEASE_NS + RECONNECT_NS)
        for lease in self._leases.of(session.nonce):
            lease.until_ns = min(lease.until_ns, now_ns + RECONNECT_NS)

    def gone(self, session: Session, state: WorkerState, why: str, now_ns: int, *, counts: bool = True) -> None:
        """A worker is not here any more: what it had goes to others."""
        self._sessions.drop(session)
        with self._database.transaction() as connection:
            worker_store.move(connection, session.name, state)
        for lease in self._leases.of(session.nonce):
            if counts:
                self._attempts.lost(lease, why, now_ns)
            else:
                self._attempts.give_back(lease, now_ns)
        self._left_behind |= self._committing.let_go(session.nonce)
        self._notify(f"worker.{state}", {"worker": session.name, "why": why})

    def drain(self, name: str) -> bool:
        """Give a worker nothing more; false if it is not here."""
        session = self._sessions.named(name)
        with self._database.transaction() as connection:
            if session is None or worker_store.state_of(connection, name) is None:
                return False
            worker_store.move(connection, name, WorkerState.DRAINING)
        session.is_draining = True
        self._notify("worker.draining", {"worker": name})
        return True

    def remove(self, name: str, now_ns: int) -> bool:
        """Forget a worker; this boot of it is not heard any more. False if there is none of that name."""
        if (session := self._sessions.named(name)) is not None:
            self._sessions.removed.add(session.nonce)
            self.gone(session, WorkerState.GONE, "its worker was removed", now_ns, counts=False)
        with self._database.transaction() as connection:
            return worker_store.forget(connection, name)

    def dismiss(self, now_ns: int) -> None:
        """Every worker has ended."""
        for session in self._sessions:
            self.gone(session, WorkerState.GONE, "its worker ended", now_ns, counts=False)
            with self._database.transaction() as connection:
                worker_store.forget(connection, session.name)

    def tick(self, now_ns: int) -> None:
        """Give up what has not been heard of for a lease, and note who has been."""
        for lease in self._leases.take_expired(now_ns):
            if self._leases.of_job(lease.job) is lease:
                self._attempts.lost(lease, "its worker was not heard of in time", now_ns)
        seen = []
        for session in self._sessions:
            if now_ns - session.heard_ns >= LEASE_NS:
                self.gone(session, WorkerState.LOST, "its worker was not heard of in time", now_ns)
            elif session.heard_ns - session.written_ns >= WRITE_EVERY_NS:
                session.written_ns = session.heard_ns
                seen.append(session.name)
        if seen:
            with self._database.transaction() as connection:
                worker_store.see(connection, seen, now_ns)


def _row(session: Session, now_ns: int) -> dict[str, object]:
    profile = session.profile
    return {
        "name": session.name,
        "session": session.nonce,
        "host": profile.host,
        "pid": profile.pid,
        "product": profile.product,
        "slots": profile.slots,
        "labels": json.dumps(profile.labels, sort_keys=True),
        "isolation": profile.isolation,
        "environments": json.dumps(profile.environments),
        "parsers": json.dumps(profile.parsers),
        "state": WorkerState.DRAINING if session.is_draining else WorkerState.PRESENT,
        "joined_at_ns": now_ns,
        "seen_at_ns": now_ns,
    }
