"""The sentinel: one authority that turns what workers report into state, and tells them what to do next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from casparian_flow.core.errors import CasparianError, OverTolerance, SinkError
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import SealedOutput
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.messages import (
    Answer,
    Conclude,
    Failed,
    Fenced,
    Held,
    Idle,
    Logged,
    Order,
    Permit,
    Report,
    Sealed,
    Started,
    Surveyed,
)
from casparian_flow.sentinel import commits
from casparian_flow.sentinel.facts import Facts, facts_of
from casparian_flow.sentinel.founding import Founding, Notify
from casparian_flow.sentinel.orders import Dispatcher
from casparian_flow.sentinel.recovery import roll_forward
from casparian_flow.sentinel.totals import Totals
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database

BACK_OFF_SECONDS = (4.0, 16.0, 64.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the sentinel decides by.

    `tolerance` is the share of a file's rows that may be quarantined; `back_off_seconds` are the pauses before each
    further try after a transient failure.
    """

    holds_first_contracts: bool = False
    tolerance: float = 1.0
    back_off_seconds: tuple[float, ...] = BACK_OFF_SECONDS


class Sentinel:
    """Owns the store while one run lasts. Every method is called from the thread that owns the database."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        open_sink: Callable[[str], Sink],
        policy: Policy,
        notify: Notify,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._open_sink = open_sink
        self._policy = policy
        self._notify = notify
        self._founding = Founding(database, holds=policy.holds_first_contracts, notify=notify)
        self._open: set[int] = set()
        self._held: list[tuple[Facts, Receipt]] = []
        self._transient_failures: dict[int, int] = {}
        self._log_lines: dict[tuple[int, int], int] = {}
        self.totals = Totals()

    @property
    def adopted(self) -> Collection[str]:
        """Tables whose first contract was taken in this run, without review."""
        return self._founding.adopted

    def expect(self, job: int, scope: str) -> None:
        """A job was enqueued; its scope names the files that may map to the same new tables."""
        self._open.add(job)
        self._founding.expect(job, scope)

    @property
    def is_done(self) -> bool:
        """Whether every expected job has ended or is held sealed."""
        return not self._open

    def next_order(self, worker: str, now_ns: int) -> Order | None:
        """What an idle worker should do now; None when nothing is due."""
        if (settle := self._founding.next_settle()) is not None:
            return settle
        order = self._dispatcher.next_order(worker, self._founding.contracts, now_ns)
        if order is not None:
            self._founding.ordered(order)
        return order

    def together(self) -> AbstractContextManager[None]:
        """What is handled and ordered inside becomes durable at its end: only then may answers and orders leave."""
        return self._database.together()

    def handle(self, message: Report, now_ns: int) -> Answer | None:
        """Take one report in; the answer if its sender waits for one."""
        match message:
            case Started():
                with self._database.transaction() as connection:
                    job_store.start(connection, message.job, message.attempt, now_ns)
            case Surveyed():
                if self._founding.surveyed(message):
                    self._found_tables(now_ns)
            case Sealed():
                return self._decide(message, now_ns)
            case Conclude():
                self._conclude(message, now_ns)
            case Failed():
                self._fail(message, now_ns)
            case Logged():
                self._keep_log(message)
            case Idle():
                pass
        return None

    def finish(self, kept_hashes: Collection[str], now_ns: int) -> None:
        """End the run, when no worker is at work any more.

        Lands what was held because it replaces rows somewhere (rows of `kept_hashes` stay), tries once more to promote
        what could not be, and takes out rows of bytes that are gone.
        """
        if self._held:
            self._replace(kept_hashes, now_ns)
        with self._database.transaction() as connection:
            retired = commits.retire(connection, now_ns)
        rolled = roll_forward(self._database, self._open_sink, now_ns)
        for job, receipt in rolled.landed.items():
            if self.totals.ended.get(job) is JobState.COMMITTING:
                self.totals.failed -= 1
            self._landed(job, receipt)
        for table in sorted({entry.table for entry in retired}):
            self._notify("rows.retired", {"table": table})
        for uri, error in rolled.troubles.items():
            self._notify("sink.failed", {"sink": uri, "message": error.message})

    def _replace(self, kept_hashes: Collection[str], now_ns: int) -> None:
        """Permit everything that was held as one commit; what was cancelled meanwhile leaves nothing behind."""
        with self._database.transaction() as connection:
            permitted = commits.permit_replacement(
                connection, self._held, kept_hashes, self._founding.contracts, now_ns
            )
        for facts, receipt in self._held:
            if facts.id not in permitted:
                self._end(facts.id, facts.attempt, JobState.ABORTED, now_ns, code="cancelled", message=CANCELLED)
                self._discard(facts.id, facts.attempt, receipt.outputs)
        self._held.clear()

    def _decide(self, sealed: Sealed, now_ns: int) -> Answer:
        """Permit a sealed attempt, hold it, or tell its worker that it is fenced."""
        receipt = sealed.receipt
        if (held := self._over_tolerance(receipt)) is not None:
            return self._fence(sealed, now_ns, OverTolerance.code, held)
        try:
            with self._database.transaction() as connection:
                facts = facts_of(connection, sealed.job)
                if facts.attempt != sealed.attempt:
                    return Fenced(job=sealed.job, attempt=sealed.attempt, why="a newer attempt runs")
                commits.check(connection, facts, receipt)
                is_held = commits.waits_for_the_end(facts, receipt)
                entries = (
                    None if is_held else commits.permit(connection, facts, receipt, self._founding.contracts, now_ns)
                )
        except CasparianError as exc:
            return self._fence(sealed, now_ns, exc.code, exc.message, exc.why)
        if is_held:
            self._held.append((facts, receipt))
            self._leave(sealed.job, now_ns)
            return Held(job=sealed.job, attempt=sealed.attempt)
        if entries is None:
            return self._fence(sealed, now_ns, "cancelled", CANCELLED, to=JobState.ABORTED)
        return Permit(job=sealed.job, attempt=sealed.attempt, entries=entries)

    def _over_tolerance(self, receipt: Receipt) -> str | None:
        emitted = receipt.accepted + receipt.quarantined
        if emitted and receipt.quarantined / emitted > self._policy.tolerance:
            return f"{receipt.quarantined} of {emitted} rows were rejected, more than {self._policy.tolerance:.2%}"
        return None

    def _fence(
        self, sealed: Sealed, now_ns: int, code: str, message: str, why: str = "", to: JobState = JobState.FAILED
    ) -> Fenced:
        self._end(sealed.job, sealed.attempt, to, now_ns, code=code, message=message, why=why)
        return Fenced(job=sealed.job, attempt=sealed.attempt, why=message)

    def _conclude(self, concluded: Conclude, now_ns: int) -> None:
        with self._database.transaction() as connection:
            facts = facts_of(connection, concluded.job)
            if facts.attempt != concluded.attempt:
                return
            receipt = commits.record(connection, facts, self._founding.contracts, now_ns)
        self._landed(concluded.job, receipt)
        self._leave(concluded.job, now_ns)

    def _landed(self, job: int, receipt: Receipt) -> None:
        self.totals.landed(job, receipt)
        self._notify("job.completed", {"job": job, "rows": receipt.accepted, "quarantined": receipt.quarantined})

    def _fail(self, failed: Failed, now_ns: int) -> None:
        """End a failed attempt for good, or give a transient failure another try after a pause."""
        if self._tries_again(failed, now_ns):
            self._notify("job.retried", {"job": failed.job, "message": failed.message})
            return
        self._end(
            failed.job,
            failed.attempt,
            JobState.ABORTED if failed.code == "cancelled" else JobState.FAILED,
            now_ns,
            code=failed.code,
            message=failed.message,
            why=failed.why,
            transient=failed.transient,
        )

    def _tries_again(self, failed: Failed, now_ns: int) -> bool:
        tries, pauses = self._transient_failures.get(failed.job, 0), self._policy.back_off_seconds
        # A file that changed is another version: only the next scan can say which.
        if not failed.transient or failed.code == "source-changed" or tries >= len(pauses):
            return False
        self._transient_failures[failed.job] = tries + 1
        due = now_ns + int(pauses[tries] * 1e9)
        with self._database.transaction() as connection:
            return job_store.requeue(
                connection, failed.job, failed.attempt, due, counts=True, code=failed.code, message=failed.message
            )

    def _end(
        self,
        job: int,
        attempt: int,
        to: JobState,
        now_ns: int,
        *,
        code: str,
        message: str,
        why: str = "",
        transient: bool = False,
    ) -> None:
        error = {"code": code, "message": message, "why": why}
        with self._database.transaction() as connection:
            changed = job_store.end(connection, job, attempt, to, now_ns, transient=transient, **error)
            if not changed and not job_store.note_trouble(connection, job, attempt, **error):
                return
        # A permitted job whose rows could not be made visible stays `committing` until it is rolled forward.
        to = to if changed else JobState.COMMITTING
        self.totals.lost(job, to)
        self._notify(f"job.{to}", {"job": job, **error})
        self._leave(job, now_ns)

    def _leave(self, job: int, now_ns: int) -> None:
        """A job is over or held: others may have waited for it alone."""
        self._open.discard(job)
        self._founding.leave(job)
        self._found_tables(now_ns)

    def _found_tables(self, now_ns: int) -> None:
        """Let complete scopes go on; the jobs of those that must wait for a person end `rejected`."""
        for refused in self._founding.found(now_ns):
            self._end(
                refused.job,
                refused.attempt,
                JobState.REJECTED,
                now_ns,
                code="awaiting-approval",
                message=refused.tables,
                why="the first contract of a table waits for a person",
            )
            self._discard(refused.job, refused.attempt, refused.sealed)

    def _discard(self, job: int, attempt: int, outputs: Sequence[SealedOutput]) -> None:
        for uri in sorted({output.sink for output in outputs}):
            its = [output for output in outputs if output.sink == uri]
            try:
                self._open_sink(uri).discard(Attempt(job=job, attempt=attempt), its)
            except SinkError as exc:  # files that nobody will name: the next sweep finds them
                self._notify("sink.failed", {"sink": uri, "message": exc.message})

    def _keep_log(self, logged: Logged) -> None:
        key = (logged.job, logged.attempt)
        first = self._log_lines.get(key, 0)
        with self._database.transaction() as connection:
            job_store.add_log_lines(connection, logged.job, logged.attempt, first, logged.lines)
        self._log_lines[key] = first + len(logged.lines)


CANCELLED = "cancelled before it committed"
