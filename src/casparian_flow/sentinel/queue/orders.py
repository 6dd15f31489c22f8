"""Orders for whoever has room: surveyed groups that can go on first, then files to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError, UsageError, VerificationFailed
from casparian_flow.protocol.bodies import Body, Cast, CastJob, Dispatch, Parse
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.sentinel.commit.founding import Founding, contracts_of
from casparian_flow.sentinel.queue.attempts import Attempts
from casparian_flow.sentinel.queue.dispatch import Dispatcher
from casparian_flow.sentinel.queue.heartbeats import Heartbeats
from casparian_flow.sentinel.queue.leases import LEASE_NS, Lease, Leases
from casparian_flow.sentinel.queue.sessions import Sent, Session, Sessions
from casparian_flow.sentinel.runs import Runs
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.engine import AnyRow

LOOK_NS = 10_000_000_000
"""A queue in which there was nothing for a worker is not looked at again for so long, unless something changes."""


class Send(Protocol):
    """How a message leaves; the number under which it did."""

    def __call__(self, peer: bytes, body: Body, *, job: int, attempt: int) -> int:
        """Send it to a peer, about an attempt."""
        ...


class Orders:
    """Claims what an order is made of, words it, and keeps whose it is now."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        leases: Leases,
        sessions: Sessions,
        founding: Founding,
        attempts: Attempts,
        dispatcher: Dispatcher,
        heartbeats: Heartbeats,
        send: Send,
        submit: Callable[[int, int], None],
        key: PseudonymKey,
    ) -> None:
        """`submit` takes a run up whose jobs are found in the store, by its plan and the time."""
        self._database = database
        self._runs = runs
        self._leases = leases
        self._sessions = sessions
        self._founding = founding
        self._attempts = attempts
        self._dispatcher = dispatcher
        self._heartbeats = heartbeats
        self._send = send
        self._submit = submit
        self._key = key

    def give(self, now_ns: int) -> None:
        """Give orders to every worker with room, first to those who have most of it."""
        able = [session for session in self._sessions if session.is_connected and session.room > 0]
        if not able:
            return
        slots = sum(session.profile.slots for session in self._sessions if session.is_present)
        with self._database.transaction() as connection:
            self._founding.refresh(connection)
            self._dispatcher.look(connection)
        self._attempts.found_tables(now_ns)  # a contract of now may have parted those that waited for each other
        for session in sorted(able, key=lambda session: -session.room):
            while session.room > 0 and session.casts and self._cast(session, now_ns):
                pass
            while session.room > 0 and session.is_present and self._parse(session, slots, now_ns):
                pass

    def _cast(self, session: Session, now_ns: int) -> bool:
        """Order one surveyed group to go on; whether there may be more."""
        leader = self._leases.of_job(session.casts.popleft())
        group = self._attempts.group_of(leader) if leader is not None and leader.holder == session.nonce else None
        if leader is None or group is None:
            return True
        jobs = []
        contracts: dict[str, Contract] = {}
        for lease in group:
            assert lease.order is not None and lease.tables is not None  # who was surveyed was ordered by this sentinel
            jobs.append(CastJob(job=lease.order, tables=lease.tables))
            contracts |= contracts_of(lease.tables, self._founding.contracts)
        assert leader.parse is not None
        parse = leader.parse
        try:
            key = self._key.needed_by(contracts.values())
        except (VerificationFailed, UsageError) as exc:
            for lease in group:
                self._attempts.refuse(lease, exc, now_ns)
            return True
        cast = Cast(
            parser=parse.parser,
            jobs=jobs,
            routes=parse.routes,
            contracts=contracts,
            modes=parse.modes,
            pseudonym_key=key,
        )
        self._order(session, cast, leader.job, leader.attempt)
        return True

    def _parse(self, session: Session, slots: int, now_ns: int) -> bool:
        """Order the next jobs to be read; false when there is nothing for this worker."""
        version, until_ns = session.asked_at
        may_be_free = bool(self._founding.ordered)  # a job that ends lets another one begin
        if version == self._attempts.queue_version and now_ns < until_ns and not may_be_free:
            return False
        with self._database.transaction() as connection:
            parsers = {parser for run in self._runs for parser in run.parsers}
            group = self._dispatcher.claim(connection, session, parsers, slots, now_ns, self._founding.ordered)
            if not group:
                due = job_store.next_due(connection, now_ns)
                session.asked_at = (self._attempts.queue_version, due if due is not None else now_ns + LOOK_NS)
                return False
            plan = group[0].plan_id
            if self._runs.of_plan(plan) is None:
                self._submit(plan, now_ns)
            run = self._runs.of_plan(plan)
            assert run is not None
            policy = run.policy
            trouble: CasparianError | None = None
            order: Parse | None = None
            leases = [self._lease(row, session, now_ns) for row in group]
            try:
                order = self._dispatcher.word(
                    connection, group, self._founding.contracts, policy.limits, now_ns, self._key, policy.modes
                )
            except (VerificationFailed, UsageError) as exc:  # the key: nobody may write pseudonyms with another one
                trouble = exc
        for lease in leases:
            self._leases.add(lease)
        if trouble is not None:
            for lease in leases:
                self._attempts.refuse(lease, trouble, now_ns)
            return True
        assert order is not None
        for lease, job in zip(leases, order.jobs, strict=True):
            lease.order, lease.parse = job, order
            self._heartbeats.granted(session, lease)
        self._order(session, order, order.jobs[0].job, order.jobs[0].attempt)
        return True

    def _lease(self, row: AnyRow, session: Session, now_ns: int) -> Lease:
        return Lease(
            job=row.id,
            attempt=row.attempt,
            plan=row.plan_id,
            parser=row.parser_id,
            failures=row.failures,
            holder=session.nonce,
            session=session.nonce,
            until_ns=now_ns + LEASE_NS,
            written_ns=now_ns,
        )

    def _order(self, session: Session, order: Parse | Cast, job: int, attempt: int) -> None:
        seq = self._send(session.peer, Dispatch(order=order), job=job, attempt=attempt)
        session.sent[seq] = Sent(seq, order)
