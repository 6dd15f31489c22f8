"""What becomes of attempts until they are sealed: begun, surveyed, failed, given back, lost, cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import GAVE_UP, PAUSED, JobPhase, JobState
from casparian_flow.protocol.bodies import Abort, Ack, Body, Err, Surveyed
from casparian_flow.sentinel.commit.founding import Founding
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.queue.breaker import Breaker
from casparian_flow.sentinel.queue.leases import Lease, Leases
from casparian_flow.sentinel.queue.litter import Litter
from casparian_flow.sentinel.queue.sessions import Sessions
from casparian_flow.sentinel.runs import Run, Runs
from casparian_flow.store import job_ends
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.facts import Facts

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
        litter: Litter,
    ) -> None:
        self._database = database
        self._runs = runs
        self._leases = leases
        self._sessions = sessions
        self._founding = founding
        self.breaker = Breaker()
        self._notify = notify
        self._litter = litter
        self.queue_version = 0
        """Counted on whenever a job may have become due."""

    # --- what workers tell ------------------------------------------------------------------------------------

    def begun(self, leases: Iterable[Lease], now_ns: int) -> None:
        """Their worker is at work on these attempts; of each that is stale or cancelled nothing is noted."""
        # Whoever is named twice has begun once.
        new = {lease.job: lease for lease in leases if lease.state is not JobState.RUNNING}
        if not new:
            return
        with self._database.transaction() as connection:
            started = job_store.start(connection, [(job, lease.attempt) for job, lease in new.items()], now_ns)
        for job, lease in new.items():
            if job in started:
                self._note_start(lease)

    def all_begun(self, leases: Sequence[Lease], now_ns: int) -> None:
        """Their worker is, or was, at work on all of these attempts, though it may never have said so."""
        new = [lease for lease in leases if lease.state is not JobState.RUNNING]
        with self._database.transaction() as connection:
            started = job_store.start(connection, [(lease.job, lease.attempt) for lease in new], now_ns)
        if len(started) == len(new):  # else one of them is stale or cancelled: nothing asked of all can be done
            for lease in new:
                self._note_start(lease)

    def surveyed(self, nonce: str, found: Surveyed, now_ns: int) -> Body:
        """A group is read and waits for its contracts at that worker, where it lives and falls together."""
        held = [self._leases.held(nonce, each.job, each.attempt) for each in found.jobs]
        leases = [lease for lease in held if lease is not None]
        if len(leases) < len(held):
            return Abort(code=FENCED, message="a newer attempt runs, or the job is over")
        if any(lease.is_cancelled for lease in leases):
            return Abort(code=CANCELLED, message=CANCELLED_BEFORE)
        if any(lease.order is None for lease in leases):
            for lease in leases:
                self.give_back(lease, now_ns)
            return Abort(code=FENCED, message="its order was lost with the sentinel that gave it")
        group = tuple(lease.job for lease in leases)
        self.all_begun(leases, now_ns)
        for lease, each in zip(leases, found.jobs, strict=True):
            lease.is_reported = True
            if not lease.is_surveyed:
                lease.is_surveyed, lease.phase, lease.group = True, JobPhase.SURVEYED, group
                self._founding.surveyed(each.job, each.outputs)
                self.tell("job.surveyed", lease.job, lease.plan, lease.attempt)
        self.found_tables(now_ns)
        return Ack(of=0)

    def failed(self, nonce: str, job: int, attempt: int, error: Err, now_ns: int) -> None:
        """An attempt ended without a seal."""
        lease = self._leases.held(nonce, job, attempt)
        if lease is None:
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
            is_queued = job_ends.requeue(connection, lease.job, lease.attempt, now_ns, counts=False)
        if is_queued:
            self._queued(lease, "")

    def refuse(self, lease: Lease, error: CasparianError, now_ns: int) -> None:
        """A sealed attempt may not commit."""
        self._end(lease, JobState.FAILED, now_ns, code=error.code, message=error.message, why=error.why)

    def run_again(self, run: Run, facts: Facts, now_ns: int) -> None:
        """A job that was held is read again, since what it shared with another is gone."""
        with self._database.transaction() as connection:
            job_store.release(connection, facts.id, facts.attempt, now_ns)
            parser = load_registered(connection, facts.parser_id)
        run.open.add(facts.id)
        self._founding.expect(facts.id, run.plan, parser, facts.base_table)
        self.queue_version += 1
        self.tell("job.retried", facts.id, run.plan, facts.attempt, message="")

    def group_of(self, lease: Lease) -> list[Lease] | None:
        """The attempts that were surveyed together with one, if none of them was lost to its worker since."""
        found = []
        for job in lease.group:  # asked of all that waits, again and again
            each = self._leases.of_job(job)
            if each is None or each.is_cancelled or each.holder != lease.holder:
                return None
            if each.group is not lease.group and each.group != lease.group:
                return None
            found.append(each)
        return found or None

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
            if not job_ends.abort_queued(connection, job, now_ns, code=CANCELLED, message=CANCELLED_BEFORE):
                return False
        self.tell("job.aborted", job, plan, 0, code=CANCELLED, message=CANCELLED_BEFORE, why="")
        self.leave(job, plan, now_ns)
        return True

    def found_tables(self, now_ns: int) -> None:
        """Let complete scopes go on; the jobs of those that must wait for a person end `rejected`."""
        settled, refused = self._founding.found(now_ns)
        groups: dict[tuple[int, ...], Lease] = {}
        for each in settled:
            if (lease := self._leases.of_job(each.job)) is not None:
                lease.tables = each.tables
                groups[lease.group] = lease
        for lease in groups.values():
            self._cast_when_settled(lease)
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

    def _note_start(self, lease: Lease) -> None:
        lease.state = JobState.RUNNING
        self.tell("job.started", lease.job, lease.plan, lease.attempt)

    def _cast_when_settled(self, lease: Lease) -> None:
        """Order a surveyed group to go on once all of it have their tables."""
        group = self.group_of(lease)
        if group is None or lease.holder is None or any(each.tables is None for each in group):
            return
        if (session := self._sessions.of_nonce(lease.holder)) is not None:
            session.casts.append(lease.group[0])

    def _queue_again(self, lease: Lease, error: Err, now_ns: int) -> bool:
        """Another try after a pause; false when there were enough."""
        run = self._runs.of_plan(lease.plan)
        pauses = run.policy.back_off_seconds if run else ()
        if lease.failures >= len(pauses):
            return False
        due = now_ns + int(pauses[lease.failures] * 1e9)
        with self._database.transaction() as connection:
            is_queued = job_ends.requeue(
                connection, lease.job, lease.attempt, due, counts=True, code=error.code, message=error.message
            )
        if is_queued:
            self._queued(lease, error.message)
        return is_queued

    def _queued(self, lease: Lease, message: str) -> None:
        self._leases.drop(lease.job)
        self._founding.again(lease.job)
        self.queue_version += 1
        self.tell("job.retried", lease.job, lease.plan, lease.attempt, message=message)

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
            ended = job_ends.end(
                connection, lease.job, lease.attempt, to, now_ns, code=code, message=message, why=why,
                transient=transient,
            )  # fmt: skip
            refused = self.breaker.failed(connection, lease.parser, code, now_ns) if ended else []
        self._leases.drop(lease.job)
        if ended:
            self.tell(f"job.{to}", lease.job, lease.plan, lease.attempt, code=code, message=message, why=why)
        self.leave(lease.job, lease.plan, now_ns)
        for row in refused:
            self.tell("job.rejected", row.id, row.plan_id, 0, code=PAUSED, message=message, why="")
            self.leave(row.id, row.plan_id, now_ns)

    def leave(self, job: int, plan: int, now_ns: int) -> None:
        """A job is over or held: others may have waited for it alone."""
        if (run := self._runs.of_plan(plan)) is not None:
            run.open.discard(job)
        self._founding.leave(job)
        self.found_tables(now_ns)

    def tell(self, event: str, job: int, plan: int, attempt: int, **values: object) -> None:
        """Let everybody hear what became of a job."""
        self._notify(event, {"job": job, "plan": plan, "attempt": attempt, **values})
