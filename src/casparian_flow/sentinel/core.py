"""The sentinel without any input or output: messages of many workers and a clock in, messages and actions out.

The one authority over the state of jobs. It serves many runs and many workers, in the thread that owns its database.
Whoever calls it makes what it did durable before what it said leaves (`Database.together`).
"""

from __future__ import annotations

from casparian_flow.core.errors import NotFound
from casparian_flow.core.jobs import FINAL_STATES, JobState
from casparian_flow.core.workers import WorkerState
from casparian_flow.protocol.bodies import (
    Abort,
    Ack,
    Body,
    Conclude,
    Deploy,
    Dispatch,
    Echo,
    Err,
    Heartbeat,
    Identify,
    Permit,
    Reload,
    Seal,
    Sealed,
    Stopped,
    Surveyed,
    Terms,
)
from casparian_flow.protocol.codec import BadMessage, Message, encode, from_worker
from casparian_flow.protocol.opcodes import VERSION, Opcode
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.sentinel.actions import Action, Done, Sweep
from casparian_flow.sentinel.commit.committing import Committing
from casparian_flow.sentinel.commit.founding import Founding
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.planning import replaying
from casparian_flow.sentinel.queue.attempts import CANCELLED, CANCELLED_BEFORE, FENCED, Attempts
from casparian_flow.sentinel.queue.dispatch import Dispatcher
from casparian_flow.sentinel.queue.heartbeats import Heartbeats
from casparian_flow.sentinel.queue.leases import LEASE_NS, Lease, Leases
from casparian_flow.sentinel.queue.litter import Litter
from casparian_flow.sentinel.queue.orders import Orders
from casparian_flow.sentinel.queue.outdated import Outdated
from casparian_flow.sentinel.queue.presence import Presence
from casparian_flow.sentinel.queue.sessions import Session, Sessions
from casparian_flow.sentinel.run_ends import RunEnds
from casparian_flow.sentinel.runs import CancelOutcome, Runs, is_held
from casparian_flow.store import job_changes
from casparian_flow.store import jobs as job_store
from casparian_flow.store import runs as run_store
from casparian_flow.store.database import Database

HEARTBEAT_MS = 1_000
FENCE_MS = 10_000
ABORT_AGAIN_NS = 1_000_000_000
RETURNS = 2_000
"""Attempts in a row that a worker may give back without having done any; each one more counts as a failure."""
_OPCODE_OF: dict[type[Body], Opcode] = {
    Abort: Opcode.ABORT,
    Ack: Opcode.ACK,
    Err: Opcode.ERR,
    Echo: Opcode.HEARTBEAT,
    Dispatch: Opcode.DISPATCH,
    Reload: Opcode.RELOAD,
    Permit: Opcode.PERMIT,
}


class SentinelCore:
    """Every method is called from the thread that owns the database; nothing here waits.

    Begin each batch of calls with `look`, end it with `tick`, make it durable, then send `take_outgoing` and carry out
    `take_actions`, telling `done` what came of each.
    """

    def __init__(
        self, database: Database, *, incarnation: int, session: str, notify: Notify, key: PseudonymKey
    ) -> None:
        """`session` was never used before; `notify` hears every event, with `job` and `plan` where it is about one.

        `key` is the home's, for workers who write pseudonyms.
        """
        self._database = database
        self._incarnation = incarnation
        self._session = session
        self._notify = notify
        self._outgoing: list[tuple[bytes, bytes]] = []
        self._actions: list[Action] = []
        self._seq = 0
        self._is_draining = False
        self._runs = Runs()
        self._leases = Leases()
        self._sessions = Sessions()
        self._dispatcher = Dispatcher()
        self._founding = Founding(database, notify)
        self._litter = Litter(database, self._actions.append)
        self._attempts = Attempts(
            database,
            self._runs,
            self._leases,
            self._sessions,
            self._founding,
            notify,
            self._litter,
        )
        self._committing = Committing(
            database,
            self._runs,
            self._leases,
            self._founding,
            self._attempts,
            self._actions.append,
            self._litter,
        )
        self._ends = RunEnds(
            database, self._runs, self._committing, self._founding, notify, self._actions.append, self.submit
        )
        self._presence = Presence(database, self._sessions, self._leases, self._attempts, self._committing, notify)
        self._heartbeats = Heartbeats(database, self._leases, self._attempts, notify)
        self._outdated = Outdated(
            database,
            self._runs,
            self._leases,
            self._dispatcher,
            self._heartbeats,
            self._attempts,
            self._committing,
            self._litter,
        )
        self._orders = Orders(
            database,
            self._runs,
            self._leases,
            self._sessions,
            self._founding,
            self._attempts,
            self._dispatcher,
            self._heartbeats,
            self._send,
            self.submit,
            key,
        )

    def look(self, now_ns: int) -> None:
        """Notice what was decided elsewhere; before every batch of calls, since what workers say is taken by it."""
        with self._database.transaction() as connection:
            self._founding.refresh(connection)
        self._outdated.take_back(self._founding.take_closed(), now_ns)

    # --- messages ----------------------------------------------------------------------------------------------

    def receive(self, peer: bytes, data: bytes, now_ns: int, name: str | None = None) -> None:
        """Take in what a peer sent, whatever it is. `name` is the worker that its key has proven it to be, if any."""
        try:
            message = from_worker(data)
        except BadMessage as bad:
            if data[1:2] != bytes([Opcode.ERR]):
                refusal = Err(code=bad.code, message=bad.message, of=bad.seq)
                self._send(peer, refusal, job=bad.job, version=bad.version)
            return
        if not self._sessions.is_new(message.session, message.seq):
            return
        if message.session in self._sessions.removed:
            self._send(peer, Err(code="worker-removed", message="this worker was removed", of=message.seq))
            return
        if isinstance(message.body, Identify):
            self._identify(peer, message, message.body, now_ns, name)
            return
        session = self._sessions.of_peer(peer)
        if session is None or session.nonce != message.session:
            if message.opcode is not Opcode.ERR or message.job:
                self._send(peer, Reload(why="this sentinel does not know you"))
            return
        session.heard_ns = now_ns
        session.is_connected = True
        self._take(session, message, now_ns)

    def lost(self, peer: bytes, now_ns: int) -> None:
        """The connection to a peer is gone; it may come back."""
        if (session := self._sessions.of_peer(peer)) is not None:
            self._presence.disconnected(session, now_ns)

    def done(self, done: Done, now_ns: int) -> None:
        """An action was carried out."""
        if isinstance(done.action, Sweep):
            self._litter.done(done)
        else:
            self._ends.done(done, now_ns)

    def leapt(self, by_ns: int) -> None:
        """The clock was set, or the machine slept: nobody could be heard meanwhile, and nobody is blamed for that."""
        self._leases.shift(by_ns)
        self._sessions.shift(by_ns)
        self._ends.shift(by_ns)

    def tick(self, now_ns: int) -> None:
        """Do what is due by now: leases that ran out, runs that are over, orders for whoever is free."""
        self._presence.tick(now_ns)
        for lease in self._leases.cancelled():
            if lease.holder is not None and now_ns >= lease.abort_due_ns:
                self._abort(lease, now_ns)
        if self._presence.take_left_behind():
            self._ends.roll_forward(now_ns)
        self._ends.try_again(now_ns)
        self._ends.finish_what_is_done(now_ns)
        if self.is_idle:
            self._litter.sweep()
        if not (self._is_draining or self._litter.is_sweeping):
            self._orders.give(now_ns)

    def take_outgoing(self) -> list[tuple[bytes, bytes]]:
        """What is to be sent, with its peer, in this order, once everything before is durable."""
        taken, self._outgoing = self._outgoing, []
        return taken

    def take_actions(self) -> list[Action]:
        """What is to be done at sinks, once everything before is durable."""
        taken = list(self._actions)
        self._actions.clear()
        return taken

    # --- what is asked of it ------------------------------------------------------------------------------------

    def take_up(self, now_ns: int) -> None:
        """Go on with every run that is not over, and roll forward what is permitted; once, before the first message.

        Attempts that an earlier sentinel gave out have the length of a lease to be named by their workers.
        """
        with self._database.transaction() as connection:
            plans = [*run_store.open_plans(connection), *replaying.resume(connection, now_ns)]
        for plan in plans:
            self.submit(plan, now_ns)
        with self._database.transaction() as connection:
            self._founding.refresh(connection)
        self._outdated.take_up(self._founding.contracts, now_ns)
        self._ends.roll_forward(now_ns)

    def submit(self, plan: int, now_ns: int) -> None:
        """Take up a run that is in the store, with its jobs; one that is under way already is left alone."""
        if self._runs.of_plan(plan) is not None:
            return
        with self._database.transaction() as connection:
            loaded = self._runs.load(connection, plan)
            if loaded is None:
                raise NotFound(f"plan {plan} was not submitted")
            run, jobs = loaded
            if run.policy.holds_first_contracts:
                self._founding.hold(plan)
            self._founding.refresh(connection)
            for job in jobs:
                if job.state == JobState.COMMITTING or is_held(job):
                    continue
                parser = self._dispatcher.registered(connection, job.parser_id)
                self._founding.expect(job.id, plan, parser, job.base_table)
                if job.state != JobState.QUEUED:
                    self._leases.add(
                        Lease(
                            job=job.id,
                            attempt=job.attempt,
                            plan=plan,
                            parser=job.parser_id,
                            failures=job.failures,
                            holder=None,
                            session=job.session,
                            until_ns=now_ns + LEASE_NS,
                            state=JobState(job.state),
                            is_cancelled=job.cancel_requested,
                        )
                    )
        self._attempts.queue_version += 1

    def is_over(self, plan: int) -> bool:
        """Whether nothing is left to do of a run and of what follows it, for now.

        What a sink refuses is tried again later.
        """
        return self._ends.is_over(plan)

    def has_open(self, plan: int) -> bool:
        """Whether a run has jobs that a worker has to do."""
        run = self._runs.of_plan(plan)
        return run is not None and bool(run.open)

    def cancel(self, job: int, now_ns: int) -> CancelOutcome:
        """Stop a job before it commits; raises NotFound. One that runs is `aborted` once nothing of it runs."""
        with self._database.transaction() as connection:
            standing = job_store.standing(connection, job)
        if standing is None:
            raise NotFound(f"there is no job {job}", fix="casparian jobs")
        state = JobState(standing.state)
        if state in FINAL_STATES or state is JobState.COMMITTING:
            return CancelOutcome(state=state, is_cancelled=state is JobState.ABORTED)
        run = self._runs.of_plan(standing.plan_id)
        if state is JobState.QUEUED:
            self._attempts.cancel_queued(job, standing.plan_id, now_ns)
            return CancelOutcome(state=JobState.ABORTED, is_cancelled=True)
        if run is not None and job in run.held:
            self._committing.cancel_held(run, job, now_ns)
            return CancelOutcome(state=JobState.ABORTED, is_cancelled=True)
        with self._database.transaction() as connection:
            job_store.request_cancel(connection, job)
        if (lease := self._leases.of_job(job)) is not None:
            self._leases.cancel(lease)
        return CancelOutcome(state=state, is_cancelled=True)

    def hurry(self, job: int, now_ns: int) -> bool:
        """Let a queued job that pauses after a failure have its turn at once; false if it does not pause."""
        with self._database.transaction() as connection:
            hurried = job_changes.hurry(connection, job, now_ns)
        self._attempts.queue_version += hurried
        return hurried

    def set_priority(self, job: int, priority: int) -> bool:
        """Change when a queued job has its turn; false if it is not queued any more."""
        with self._database.transaction() as connection:
            return job_store.prioritise(connection, job, priority)

    def drain(self, worker: str) -> bool:
        """Let a worker finish what it holds and give it nothing more; false if it is not here."""
        return self._presence.drain(worker)

    def remove(self, worker: str, now_ns: int) -> bool:
        """Forget a worker, its attempts fenced and queued again; false if there is none of that name."""
        return self._presence.remove(worker, now_ns)

    def dismiss(self, now_ns: int) -> None:
        """Every worker has ended, and what it had in hand with it."""
        self._presence.dismiss(now_ns)

    def begin_drain(self) -> None:
        """Give out nothing more; `is_idle` tells when nothing is out."""
        self._is_draining = True

    def count_workers(self) -> int:
        """How many workers are there, whether or not they are given anything."""
        return sum(session.is_connected for session in self._sessions)

    @property
    def is_idle(self) -> bool:
        """Whether no worker has anything in hand."""
        return not (len(self._leases) or self._committing.promoting)

    # --- one message --------------------------------------------------------------------------------------------

    def _identify(self, peer: bytes, message: Message, profile: Identify, now_ns: int, name: str | None) -> None:
        wanted = name or profile.worker
        if not wanted.isprintable() or not wanted.strip():
            self._send(peer, Err(code="bad-name", message="a worker needs a name that can be read", of=message.seq))
            return
        session = self._presence.identified(peer, message.session, profile, wanted, now_ns)
        if session is None:
            self._send(peer, Err(code="too-many-workers", message="no more workers can join", of=message.seq))
            return
        terms = Terms(
            worker=session.name,
            incarnation=self._incarnation,
            lease_ms=LEASE_NS // 1_000_000,
            heartbeat_ms=HEARTBEAT_MS,
            fence_ms=FENCE_MS,
        )
        self._send(peer, Ack(of=message.seq, terms=terms))
        for job, attempt in self._presence.adopt(session, now_ns):
            self._send(peer, Abort(code=FENCED, message="it was given to another worker"), job=job, attempt=attempt)

    def _take(self, session: Session, message: Message, now_ns: int) -> None:
        job, attempt, nonce = message.job, message.attempt, session.nonce
        answer: Body | None = Ack(of=message.seq)
        match message.body:
            case Heartbeat() as beat:
                strange = self._heartbeats.take(session, beat, self._seq, now_ns)
                answer = Echo(of=message.seq)
                for other, number in strange:
                    self._send(session.peer, Abort(code=FENCED, message="it is not yours"), job=other, attempt=number)
                if beat.leaving and not beat.progress:
                    self._send(session.peer, answer)
                    self._presence.gone(session, WorkerState.GONE, "its worker ended", now_ns, counts=False)
                    return
            case Seal(outcome=outcome) if not _is_led_by(outcome, job, attempt):
                answer = Err(code="bad-group", message="the header names the first job, and each is named once")
            case Seal(outcome=Sealed() as sealed):
                session.returned = 0
                self._note_pace(nonce, sealed)
                answer = self._committing.sealed(nonce, sealed, now_ns)
            case Seal(outcome=Surveyed() as surveyed):
                answer = self._attempts.surveyed(nonce, surveyed, now_ns)
            case Conclude():
                session.returned = 0
                answer = self._committing.concluded(nonce, job, attempt, now_ns)
            case Err() as error if job:
                session.returned = 0
                if not self._committing.troubled(nonce, job, error, now_ns):
                    self._attempts.failed(nonce, job, attempt, error, now_ns)
            case Err() as error:
                self._notify("worker.complained", {"worker": session.name, "code": error.code})
                answer = None
            case Stopped():
                session.returned += not session.is_draining
                self._attempts.stopped(nonce, job, attempt, now_ns, counts=session.returned > RETURNS)
            case Deploy():
                answer = Err(code="not-supported", message="this sentinel takes no deployments", of=message.seq)
            case _:
                answer = None
        if isinstance(answer, Ack):
            answer = Ack(of=message.seq)
        elif isinstance(answer, Err):
            answer = Err(code=answer.code, message=answer.message, of=message.seq)
        if answer is not None:
            self._send(session.peer, answer, job=job, attempt=attempt)

    def _note_pace(self, nonce: str, sealed: Sealed) -> None:
        for each in sealed.jobs:
            if (lease := self._leases.held(nonce, each.job, each.attempt)) is not None:
                self._dispatcher.pace.took(lease.parser, each.receipt.seconds)

    def _abort(self, lease: Lease, now_ns: int) -> None:
        assert lease.holder is not None
        lease.abort_due_ns = now_ns + ABORT_AGAIN_NS
        if (session := self._sessions.of_nonce(lease.holder)) is not None:
            abort = Abort(code=CANCELLED, message=CANCELLED_BEFORE)
            self._send(session.peer, abort, job=lease.job, attempt=lease.attempt)

    def _send(self, peer: bytes, body: Body, *, job: int = 0, attempt: int = 0, version: int = VERSION) -> int:
        self._seq += 1
        opcode = _OPCODE_OF[type(body)]
        message = Message(opcode=opcode, session=self._session, seq=self._seq, job=job, attempt=attempt, body=body)
        self._outgoing.append((peer, encode(message, version=version)))
        return self._seq


def _is_led_by(group: Sealed | Surveyed, job: int, attempt: int) -> bool:
    """Whether the first job of a group is that one, and none of it is named twice."""
    first = group.jobs[0]
    return (first.job, first.attempt) == (job, attempt) and len({each.job for each in group.jobs}) == len(group.jobs)
