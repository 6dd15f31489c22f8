"""What becomes of attempts: each outcome that a worker tells, decided once and durably."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.errors import CasparianError, OverTolerance
from casparian_flow.core.jobs import GAVE_UP, PAUSED, JobPhase, JobState
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.bodies import Abort, Ack, Body, Err, Permit, Surveyed
from casparian_flow.sentinel import commits
from casparian_flow.sentinel.actions import Action, Discard
from casparian_flow.sentinel.breaker import Breaker
from casparian_flow.sentinel.facts import Facts, facts_of, find_facts
from casparian_flow.sentinel.founding import Founding, Notify
from casparian_flow.sentinel.leases import Lease, Leases
from casparian_flow.sentinel.litter import Litter
from casparian_flow.sentinel.open_commits import entries_of_job
from casparian_flow.sentinel.runs import Run, Runs
from casparian_flow.sentinel.sessions import Sessions
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database

CANCELLED = "cancelled"
CANCELLED_BEFORE = "cancelled before it committed"
FENCED = "fenced"
WORKER_LOST = "worker-lost"
AWAITING_APPROVAL = "awaiting-approval"


class Attempts:
    """Moves jobs from `dispatched` to their end.

    What a worker says of an attempt that it does not have changes nothing.
    """

    def __init__(
        self,
        database: Database,
        runs: Runs,
        leases: Leases,
        sessions: Sessions,
        founding: Founding,
        notify: Notify,
        act: Callable[[Action], None],
        litter: Litter,
    ) -> None:
        self._database = database
        self._runs = runs
        self._leases = leases
        self._sessions = sessions
        self._founding = founding
        self._breaker = Breaker()
        self._notify = notify
        self._act = act
        self._litter = litter
        self.promoting: dict[int, str] = {}
        """The worker, by its nonce, that makes a permitted job visible."""
        self.orphans: set[int] = set()
        """Permitted jobs that their worker could not make visible."""
        self.queue_version = 0
        """Counted on whenever a job may have become due."""

    # --- what workers tell ------------------------------------------------------------------------------------

    def begun(self, lease: Lease, now_ns: int) -> None:
        """Its worker is at work on the attempt."""
        if lease.state is JobState.RUNNING:
            return
        with self._database.transaction() as connection:
            if job_store.start(connection, lease.job, lease.attempt, now_ns):
                lease.state = JobState.RUNNING
                self._tell("job.started", lease.job, lease.plan, lease.attempt)

    def sealed(self, nonce: str, job: int, attempt: int, receipt: Receipt, now_ns: int) -> Body | None:
        """Permit a sealed attempt, hold it, or refuse it. None: the question was answered and is answered again."""
        lease = self._leases.held(nonce, job, attempt)
        if lease is None:
            return self._answer_again(nonce, job, attempt)
        if lease.is_cancelled:
            return Abort(code=CANCELLED, message=CANCELLED_BEFORE)
        self.begun(lease, now_ns)
        run = self._runs.of_plan(lease.plan)
        assert run is not None  # a lease belongs to a run that is not over
        if (why := _over_tolerance(receipt, run.policy.tolerance)) is not None:
            return self._refuse(lease, OverTolerance(why), now_ns)
        try:
            with self._database.transaction() as connection:
                facts = facts_of(connection, job)
                commits.check(connection, facts, receipt)
                if commits.waits_for_the_end(facts, receipt):
                    if not job_store.hold(connection, job, attempt, msgspec.json.encode(receipt).decode()):
                        return Abort(code=CANCELLED, message=CANCELLED_BEFORE)
                    entries = None
                else:
                    entries = commits.permit(connection, facts, receipt, self._founding.contracts, now_ns)
                    if entries is None:
                        return Abort(code=CANCELLED, message=CANCELLED_BEFORE)
        except CasparianError as exc:
            return self._refuse(lease, exc, now_ns)
        self._leases.drop(job)
        if entries is None:
            run.held[job] = (facts, receipt)
            self._leave(job, lease.plan, now_ns)
            return Ack(of=0)
        self.promoting[job] = nonce
        self._founding.leave(job)
        self.found_tables(now_ns)
        self._tell("job.permitted", job, lease.plan, attempt)
        return Permit(entries=entries)

    def surveyed(self, nonce: str, job: int, attempt: int, found: Surveyed, now_ns: int) -> Body:
        """A job is read and waits for its contracts at that worker."""
        lease = self._leases.held(nonce, job, attempt)
        if lease is None:
            return Abort(code=FENCED, message="a newer attempt runs, or the job is over")
        if lease.is_cancelled:
            return Abort(code=CANCELLED, message=CANCELLED_BEFORE)
        if lease.order is None:
            self.give_back(lease, now_ns)
            return Abort(code=FENCED, message="its order was lost with the sentinel that gave it")
        lease.is_reported = True
        if not lease.is_surveyed:
            self.begun(lease, now_ns)
            lease.is_surveyed, lease.phase = True, JobPhase.SURVEYED
            self._founding.surveyed(job, found.outputs)
            self.found_tables(now_ns)
        return Ack(of=0)

    def concluded(self, nonce: str, job: int, attempt: int, now_ns: int) -> Body:
        """Record what its worker made visible; saying it again changes nothing."""
        with self._database.transaction() as connection:
            facts = find_facts(connection, job)
            if facts is None or (facts.attempt, facts.session) != (attempt, nonce):
                return Err(code=FENCED, message=f"attempt {attempt} of job {job} is not this worker's")
            if facts.state == JobState.COMPLETED:
                self.settle(job, facts.plan_id, now_ns)
                return Ack(of=0)
            if facts.state != JobState.COMMITTING or self._is_held(facts):
                return Err(code=FENCED, message=f"job {job} has no permit")
            self.record(connection, facts, now_ns)
        return Ack(of=0)

    def failed(self, nonce: str, job: int, attempt: int, error: Err, now_ns: int) -> None:
        """An attempt ended without a seal, or its rows could not be made visible."""
        lease = self._leases.held(nonce, job, attempt)
        if lease is None:
            if self.promoting.get(job) == nonce:
                self.note_trouble(job, attempt, error.code, error.message, error.why, now_ns)
            return
        if lease.is_cancelled or error.code == CANCELLED:
            self._end(lease, JobState.ABORTED, now_ns, code=CANCELLED, message=CANCELLED_BEFORE)
        # A file that changed is another version: only the next scan can say which.
        elif not error.transient or error.code == "source-changed" or not self._queue_again(lease, error, now_ns):
            self._end(
                lease,
                JobState.FAILED,
                now_ns,
                code=error.code,
                message=error.message,
                why=error.why,
                transient=error.transient,
            )

    def stopped(self, nonce: str, job: int, attempt: int, now_ns: int, *, counts: bool) -> None:
        """Nothing of the attempt runs: it was cancelled, or its worker gave it back; `counts` says once too often."""
        lease = self._leases.held(nonce, job, attempt)
        if lease is not None and counts:
            self.lost(lease, "its worker gives everything back", now_ns)
        elif lease is not None:
            self.give_back(lease, now_ns)

    # --- what the sentinel finds --------------------------------------------------------------------------------

    def give_back(self, lease: Lease, now_ns: int) -> None:
        """An attempt that did not fail goes to whoever has room next; one that was cancelled is aborted."""
        if lease.is_cancelled:
            self._end(lease, JobState.ABORTED, now_ns, code=CANCELLED, message=CANCELLED_BEFORE)
            return
        with self._database.transaction() as connection:
            is_queued = job_store.requeue(connection, lease.job, lease.attempt, now_ns, counts=False)
        if is_queued:
            self._queued(lease, "")

    def lost(self, lease: Lease, message: str, now_ns: int) -> None:
        """Nothing is heard of an attempt any more: it is fenced by its number, and tried again or given up."""
        with self._database.transaction() as connection:
            self._litter.left_by(connection, lease.job)
        if lease.is_cancelled:
            self._end(lease, JobState.ABORTED, now_ns, code=CANCELLED, message=CANCELLED_BEFORE)
        elif not self._queue_again(lease, Err(code=WORKER_LOST, message=message, transient=True), now_ns):
            why = f"{message}, {lease.failures + 1} times"
            self._end(lease, JobState.FAILED, now_ns, code=GAVE_UP, message=message, why=why, transient=True)

    def cancel_queued(self, job: int, plan: int, now_ns: int) -> bool:
        """Abort a job that nobody has; false if somebody has it."""
        with self._database.transaction() as connection:
            if not job_store.abort_queued(connection, job, now_ns, code=CANCELLED, message=CANCELLED_BEFORE):
                return False
        self._tell("job.aborted", job, plan, 0, code=CANCELLED, message=CANCELLED_BEFORE, why="")
        self._leave(job, plan, now_ns)
        return True

    def cancel_held(self, run: Run, job: int, now_ns: int) -> None:
        """Abort an attempt that waits sealed for the end of its run."""
        facts, receipt = run.held.pop(job)
        with self._database.transaction() as connection:
            job_store.end(
                connection,
                job,
                facts.attempt,
                JobState.ABORTED,
                now_ns,
                code=CANCELLED,
                message=CANCELLED_BEFORE,
            )
        self._act(Discard(job=job, attempt=facts.attempt, outputs=receipt.outputs))
        self._tell("job.aborted", job, run.plan, facts.attempt, code=CANCELLED, message=CANCELLED_BEFORE, why="")

    def record(self, connection: Connection, facts: Facts, now_ns: int) -> None:
        """A permitted job is visible in every sink."""
        receipt = commits.record(connection, facts, self._founding.contracts, now_ns)
        self._breaker.landed(connection, facts.parser_id)
        if receipt is not None:
            values = {"rows": receipt.accepted, "quarantined": receipt.quarantined}
            self._tell("job.completed", facts.id, facts.plan_id, facts.attempt, **values)
        self.settle(facts.id, facts.plan_id, now_ns)

    def settle(self, job: int, plan: int, now_ns: int) -> None:
        """A permitted job is recorded: nobody has to look after it any more."""
        self.promoting.pop(job, None)
        self.orphans.discard(job)
        self._leave(job, plan, now_ns)

    def let_go(self, job: int) -> None:
        """The worker that made a permitted job visible is gone, perhaps in the middle of a file."""
        del self.promoting[job]
        with self._database.transaction() as connection:
            self._litter.left_by(connection, job)

    def note_trouble(self, job: int, attempt: int, code: str, message: str, why: str, now_ns: int) -> None:
        """A permitted job could not be made visible: it stays `committing` until it is rolled forward."""
        with self._database.transaction() as connection:
            standing = job_store.standing(connection, job)
            noted = job_store.note_trouble(connection, job, attempt, code=code, message=message, why=why)
        self.promoting.pop(job, None)
        if noted and standing is not None:
            self.orphans.add(job)
            self._tell("job.committing", job, standing.plan_id, attempt, code=code, message=message, why=why)
            self._leave(job, standing.plan_id, now_ns)

    def found_tables(self, now_ns: int) -> None:
        """Let complete scopes go on; the jobs of those that must wait for a person end `rejected`."""
        settled, refused = self._founding.found(now_ns)
        for each in settled:
            lease = self._leases.of_job(each.job)
            if lease is not None and lease.holder is not None:
                session = self._sessions.of_nonce(lease.holder)
                if session is not None:
                    session.casts.append((each.job, each.tables))
        for refusal in refused:
            lease = self._leases.of_job(refusal.job)
            if lease is not None and refusal.error is not None:
                error = refusal.error
                self._end(lease, JobState.FAILED, now_ns, code=error.code, message=error.message, why=error.why)
            elif lease is not None:
                self._end(
                    lease,
                    JobState.REJECTED,
                    now_ns,
                    code=AWAITING_APPROVAL,
                    message=refusal.tables,
                    why="the first contract of a table waits for a person",
                )

    # --- moves --------------------------------------------------------------------------------------------------

    def _refuse(self, lease: Lease, error: CasparianError, now_ns: int) -> Abort:
        """A sealed attempt that may not commit."""
        self._end(lease, JobState.FAILED, now_ns, code=error.code, message=error.message, why=error.why)
        return Abort(code=error.code, message=error.message)

    def _answer_again(self, nonce: str, job: int, attempt: int) -> Body:
        with self._database.transaction() as connection:
            standing = job_store.standing(connection, job)
            if standing is None or (standing.attempt, standing.session) != (attempt, nonce):
                return Abort(code=FENCED, message="a newer attempt runs, or the job is over")
            run = self._runs.of_plan(standing.plan_id)
            if standing.state == JobState.COMPLETED or (run is not None and job in run.held):
                return Ack(of=0)
            if standing.state != JobState.COMMITTING:
                return Abort(code=FENCED, message="the job is over")
            if self._is_held(facts_of(connection, job)):
                return Ack(of=0)
            entries = entries_of_job(connection, job)
        self.promoting[job] = nonce
        return Permit(entries=entries)

    def _is_held(self, facts: Facts) -> bool:
        """Whether a permitted job was held before: then the sentinel makes it visible, with all the others."""
        return facts.receipt is not None and commits.waits_for_the_end(
            facts, msgspec.json.decode(facts.receipt, type=Receipt)
        )

    def _queue_again(self, lease: Lease, error: Err, now_ns: int) -> bool:
        """Another try after a pause; false when there were enough."""
        run = self._runs.of_plan(lease.plan)
        pauses = run.policy.back_off_seconds if run else ()
        if lease.failures >= len(pauses):
            return False
        due = now_ns + int(pauses[lease.failures] * 1e9)
        with self._database.transaction() as connection:
            is_queued = job_store.requeue(
                connection, lease.job, lease.attempt, due, counts=True, code=error.code, message=error.message
            )
        if is_queued:
            self._queued(lease, error.message)
        return is_queued

    def _queued(self, lease: Lease, message: str) -> None:
        self._leases.drop(lease.job)
        self._founding.again(lease.job)
        self.queue_version += 1
        self._tell("job.retried", lease.job, lease.plan, lease.attempt, message=message)

    def _end(
        self,
        lease: Lease,
        to: JobState,
        now_ns: int,
        *,
        code: str,
        message: str,
        why: str = "",
        transient: bool = False,
    ) -> None:
        with self._database.transaction() as connection:
            ended = job_store.end(
                connection, lease.job, lease.attempt, to, now_ns, code=code, message=message, why=why,
                transient=transient,
            )  # fmt: skip
            refused = self._breaker.failed(connection, lease.parser, code, now_ns) if ended else []
        self._leases.drop(lease.job)
        if ended:
            self._tell(f"job.{to}", lease.job, lease.plan, lease.attempt, code=code, message=message, why=why)
        self._leave(lease.job, lease.plan, now_ns)
        for row in refused:
            self._tell("job.rejected", row.id, row.plan_id, 0, code=PAUSED, message=message, why="")
            self._leave(row.id, row.plan_id, now_ns)

    def _leave(self, job: int, plan: int, now_ns: int) -> None:
        """A job is over or held: others may have waited for it alone."""
        if (run := self._runs.of_plan(plan)) is not None:
            run.open.discard(job)
        self._founding.leave(job)
        self.found_tables(now_ns)

    def _tell(self, event: str, job: int, plan: int, attempt: int, **values: object) -> None:
        self._notify(event, {"job": job, "plan": plan, "attempt": attempt, **values})


def _over_tolerance(receipt: Receipt, tolerance: float) -> str | None:
    emitted = receipt.accepted + receipt.quarantined
    if emitted and receipt.quarantined / emitted > tolerance:
        return f"{receipt.quarantined} of {emitted} rows were rejected, more than {tolerance:.2%}"
    return None
