"""From the seal to the record: what a worker sealed together is permitted, held or refused, all of it or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import PermittedEntry
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.bodies import Abort, Ack, Body, Err, JobReceipt, Permit, Sealed
from casparian_flow.sentinel.actions import Action, Discard
from casparian_flow.sentinel.commit import commits
from casparian_flow.sentinel.commit.commits import NotPermitted
from casparian_flow.sentinel.commit.founding import Founding
from casparian_flow.sentinel.commit.open_commits import entries_of_job, jobs_led_by
from casparian_flow.sentinel.commit.receipts import owner_of_receipt
from casparian_flow.sentinel.commit.tolerance import judge_group
from casparian_flow.sentinel.queue.attempts import CANCELLED, CANCELLED_BEFORE, FENCED, Attempts
from casparian_flow.sentinel.queue.leases import Lease, Leases
from casparian_flow.sentinel.queue.litter import Litter
from casparian_flow.sentinel.runs import Run, Runs
from casparian_flow.store import job_ends
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.facts import Facts, facts_of_all, find_facts


class Committing:
    """Moves jobs from `running` over `committing` to `completed`, in the groups in which they were sealed."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        leases: Leases,
        founding: Founding,
        attempts: Attempts,
        act: Callable[[Action], None],
        litter: Litter,
    ) -> None:
        self._database = database
        self._runs = runs
        self._leases = leases
        self._founding = founding
        self._attempts = attempts
        self._act = act
        self._litter = litter
        self._groups: dict[int, tuple[int, ...]] = {}
        """The jobs that were permitted with each one in `promoting`, leader first."""
        self.promoting: dict[int, str] = {}
        """The worker, by its nonce, that makes a permitted job visible."""

    def sealed(self, nonce: str, group: Sealed, now_ns: int) -> Body | None:
        """Permit a sealed group, hold it, or refuse it: all of it or none.

        Who is the cause of a refusal ends by itself; the others did not fail, and run again.
        """
        found = [self._leases.held(nonce, each.job, each.attempt) for each in group.jobs]
        leases = [lease for lease in found if lease is not None]
        if not leases:
            return self._answer_again(nonce, group.jobs)
        if len(leases) < len(found):
            return self._refuse(leases, {}, FENCED, "one of the group runs elsewhere, or is over", now_ns)
        if any(lease.is_cancelled for lease in leases):
            return self._refuse(leases, {}, CANCELLED, CANCELLED_BEFORE, now_ns)
        self._attempts.all_begun(leases, now_ns)
        run = self._runs.of_plan(leases[0].plan)
        assert run is not None  # a lease belongs to a run that is not over
        receipts = [each.receipt for each in group.jobs]
        wrong: dict[int, CasparianError] = {}
        gone: list[int] = []
        try:
            with self._database.transaction() as connection:
                sealed = list(zip(facts_of_all(connection, [lease.job for lease in leases]), receipts, strict=True))
                gone = commits.carries_what_is_gone(connection, sealed)
                for job in gone:
                    job_store.carry_nothing(connection, job)
                wrong = commits.check(connection, sealed)
                wrong = wrong or judge_group(connection, run, sealed, self._founding.contracts)
                entries: list[PermittedEntry] | None = None
                if wrong or gone:
                    pass
                elif any(commits.waits_for_the_end(*each) for each in sealed):
                    commits.hold(connection, sealed)
                else:
                    entries = commits.permit(connection, sealed, self._founding.contracts, now_ns)
        except NotPermitted:
            return Abort(code=CANCELLED, message=CANCELLED_BEFORE)
        except CasparianError as exc:
            if len(leases) == 1:
                return self._refuse(leases, {leases[0].job: exc}, exc.code, exc.message, now_ns)
            return self._try_alone(nonce, leases, exc, now_ns)
        if wrong:
            culprit = next(iter(wrong.values()))
            return self._refuse(leases, wrong, culprit.code, culprit.message, now_ns)
        if gone:
            return self._refuse(leases, {}, FENCED, "rows that were taken over are not there any more", now_ns)
        for facts, receipt in sealed:
            self._leases.drop(facts.id)
            if entries is None:
                run.held[facts.id] = (facts, receipt)
        if entries is None:
            for lease in leases:
                self._attempts.leave(lease.job, lease.plan, now_ns)
            return Ack(of=0)
        self._hand_over(nonce, [lease.job for lease in leases])
        for lease in leases:
            self._founding.leave(lease.job)
        self._attempts.found_tables(now_ns)
        for lease in leases:
            self._attempts.tell("job.permitted", lease.job, lease.plan, lease.attempt)
        return Permit(entries=entries)

    def concluded(self, nonce: str, job: int, attempt: int, now_ns: int) -> Body:
        """Record what its worker made visible, with all that its attempt leads; saying it again changes nothing."""
        with self._database.transaction() as connection:
            facts = find_facts(connection, job)
            if facts is None or (facts.attempt, facts.session) != (attempt, nonce):
                return Err(code=FENCED, message=f"attempt {attempt} of job {job} is not this worker's")
            if facts.state == JobState.COMPLETED:
                self._settle(facts, now_ns)
                return Ack(of=0)
            group = self._led_by(connection, job)
            if facts.state != JobState.COMMITTING or _is_held(facts) or not group:
                return Err(code=FENCED, message=f"job {job} has no permit")
            self._record(connection, [facts] if group == (job,) else facts_of_all(connection, group), now_ns)
        return Ack(of=0)

    def troubled(self, nonce: str, job: int, error: Err, now_ns: int) -> bool:
        """Whether a worker could not make a permitted group visible: it says so of its leader."""
        if self.promoting.get(job) != nonce:
            return False
        self.note_trouble(self._groups[job], error.code, error.message, error.why, now_ns)
        return True

    def record(self, connection: Connection, jobs: Iterable[int], now_ns: int) -> None:
        """Permitted jobs are visible in every sink, in one transaction for all of them."""
        self._record(connection, facts_of_all(connection, list(jobs)), now_ns)

    def _record(self, connection: Connection, group: Sequence[Facts], now_ns: int) -> None:
        landed = commits.record(connection, group, self._founding.contracts, now_ns)
        for parser in {facts.parser_id for facts in group}:
            self._attempts.breaker.landed(connection, parser)
        for facts in group:
            if (receipt := landed.get(facts.id)) is not None:
                values = {"rows": receipt.accepted, "quarantined": receipt.quarantined}
                self._attempts.tell("job.completed", facts.id, facts.plan_id, facts.attempt, **values)
            self._settle(facts, now_ns)

    def let_go(self, nonce: str) -> bool:
        """A worker is gone, perhaps in the middle of a file; whether it was making permitted jobs visible."""
        jobs = [job for job, holder in self.promoting.items() if holder == nonce]
        with self._database.transaction() as connection:
            for job in jobs:
                self._part(job)
                self._litter.left_by(connection, job)
            self._litter.look(connection)
        return bool(jobs)

    def note_trouble(self, jobs: Iterable[int], code: str, message: str, why: str, now_ns: int) -> None:
        """Permitted jobs could not be made visible: they stay `committing` until they are rolled forward."""
        for job in jobs:
            with self._database.transaction() as connection:
                standing = job_store.standing(connection, job)
                noted = standing is not None and job_store.note_trouble(
                    connection, job, standing.attempt, code=code, message=message, why=why
                )
            self._part(job)
            if noted and standing is not None:
                words = {"code": code, "message": message, "why": why}
                self._attempts.tell("job.committing", job, standing.plan_id, standing.attempt, **words)
                self._attempts.leave(job, standing.plan_id, now_ns)

    def cancel_held(self, run: Run, job: int, now_ns: int) -> None:
        """Abort an attempt that waits sealed for the end of its run; those whose files it shares run again."""
        facts, _receipt = run.held[job]
        with self._database.transaction() as connection:
            job_ends.end(
                connection,
                job,
                facts.attempt,
                JobState.ABORTED,
                now_ns,
                code=CANCELLED,
                message=CANCELLED_BEFORE,
            )
            self._litter.may_be_left_by(connection, job)
        self.drop_held(run, job, now_ns)
        self._attempts.tell(
            "job.aborted", job, run.plan, facts.attempt, code=CANCELLED, message=CANCELLED_BEFORE, why=""
        )

    def drop_held(self, run: Run, job: int, now_ns: int) -> None:
        """A held job is over: what was sealed with it goes, and whoever shares it is queued again."""
        _facts, receipt = run.held.pop(job)
        owner = owner_of_receipt(receipt)
        if owner is None:
            return
        outputs = list(receipt.outputs)
        for other, (its_facts, its_receipt) in list(run.held.items()):
            if owner_of_receipt(its_receipt) == owner:
                del run.held[other]
                outputs += its_receipt.outputs
                self._attempts.run_again(run, its_facts, now_ns)
        self._act(Discard(job=owner.job, attempt=owner.attempt, outputs=tuple(outputs)))

    def _answer_again(self, nonce: str, group: Sequence[JobReceipt]) -> Body:
        """The answer to a question that was answered before: what became of the leader became of all."""
        job, attempt = group[0].job, group[0].attempt
        with self._database.transaction() as connection:
            facts = find_facts(connection, job)
            if facts is None or (facts.attempt, facts.session) != (attempt, nonce):
                return Abort(code=FENCED, message="a newer attempt runs, or the job is over")
            run = self._runs.of_plan(facts.plan_id)
            if facts.state == JobState.COMPLETED or (run is not None and job in run.held):
                return Ack(of=0)
            if facts.state != JobState.COMMITTING:
                return Abort(code=FENCED, message="the job is over")
            if any(commits.waits_for_the_end(facts, each.receipt) for each in group):
                return Ack(of=0)
            entries = entries_of_job(connection, job)
            jobs = self._led_by(connection, job)
        self._hand_over(nonce, jobs)
        return Permit(entries=entries)

    def _led_by(self, connection: Connection, job: int) -> tuple[int, ...]:
        """The jobs of the permitted group that a job leads, itself first; none if another leads it."""
        if (group := self._groups.get(job)) is None:
            return jobs_led_by(connection, job)
        return group if group[0] == job else ()

    def _refuse(
        self, leases: Sequence[Lease], wrong: dict[int, CasparianError], code: str, message: str, now_ns: int
    ) -> Abort:
        """A sealed group may not commit; those that were cancelled end when their worker has let go of them.

        Its worker may go away before it has removed the files.
        """
        with self._database.transaction() as connection:
            self._litter.may_be_left_by(connection, leases[0].job)
        for lease in leases:
            if (error := wrong.get(lease.job)) is not None:
                self._attempts.refuse(lease, error, now_ns)
            elif not lease.is_cancelled:
                self._attempts.give_back(lease, now_ns)
        return Abort(code=code, message=message)

    def _try_alone(self, nonce: str, leases: Sequence[Lease], error: CasparianError, now_ns: int) -> Abort:
        """Nobody can say which of a group is the cause: each counts one failure, and is ordered alone next time."""
        with self._database.transaction() as connection:
            self._litter.may_be_left_by(connection, leases[0].job)
        words = Err(code=error.code, message=error.message, why=error.why, transient=True)
        for lease in leases:
            self._attempts.failed(nonce, lease.job, lease.attempt, words, now_ns)
        return Abort(code=error.code, message=error.message)

    def _hand_over(self, nonce: str, jobs: Sequence[int]) -> None:
        for job in jobs:
            self.promoting[job] = nonce
            self._groups[job] = tuple(jobs)

    def _part(self, job: int) -> None:
        self.promoting.pop(job, None)
        self._groups.pop(job, None)

    def _settle(self, facts: Facts, now_ns: int) -> None:
        """A permitted job is recorded: nobody has to look after it any more."""
        self._part(facts.id)
        self._attempts.leave(facts.id, facts.plan_id, now_ns)


def _is_held(facts: Facts) -> bool:
    """Whether a permitted job was held before: then the sentinel makes it visible, with all the others."""
    return facts.receipt is not None and commits.waits_for_the_end(
        facts, msgspec.json.decode(facts.receipt, type=Receipt)
    )
