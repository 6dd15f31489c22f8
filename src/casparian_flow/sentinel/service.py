"""The sentinel: one authority that turns what workers report into state, and tells them what to do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.messages import (
    Answer,
    Conclude,
    Dispatch,
    Failed,
    Fenced,
    Held,
    Idle,
    JobOrder,
    Logged,
    Order,
    Permit,
    Report,
    Sealed,
    Settle,
    Started,
    Surveyed,
)
from casparian_flow.sentinel import commits
from casparian_flow.sentinel.first_contact import FirstContact, found_tables
from casparian_flow.sentinel.orders import Dispatcher
from casparian_flow.sinks.base import Sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.engine import AnyRow

BACK_OFF_NS = tuple(seconds * 1_000_000_000 for seconds in (4, 16, 64))
AUTOMATIC = "casparian"
"""Who adopted a contract that no person reviewed."""

Notify = Callable[[str, dict[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the sentinel decides by. `tolerance` is the share of a file's rows that may be quarantined."""

    holds_first_contracts: bool = False
    tolerance: float = 1.0


@dataclass(slots=True)
class Totals:
    """What became of the jobs of this run so far."""

    completed: int = 0
    failed: int = 0
    rejected: int = 0
    aborted: int = 0
    accepted: int = 0
    quarantined: int = 0
    rescued: int = 0
    ended: dict[int, str] = field(default_factory=dict)


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
        with database.transaction() as connection:
            self._contracts = contract_store.in_force(connection)
        self._first_contact = FirstContact()
        self._open: set[int] = set()
        self._orders: dict[int, tuple[JobOrder, Dispatch]] = {}
        self._settling: list[Settle] = []
        self._held: list[tuple[AnyRow, Receipt]] = []
        self._attempt_failures: dict[int, int] = {}
        self._log_lines: dict[tuple[int, int], int] = {}
        self.totals = Totals()
        self.adopted: set[str] = set()
        """Tables whose first contract was taken in this run, without review."""

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """The contracts in force."""
        return self._contracts

    def expect(self, job: int, scope: str) -> None:
        """A job was enqueued; its scope names the files that may map to the same new tables."""
        self._open.add(job)
        self._first_contact.expect(job, scope)

    @property
    def is_done(self) -> bool:
        """Whether every expected job has ended or is held sealed."""
        return not self._open

    def next_order(self, worker: str, now_ns: int) -> Order | None:
        """What an idle worker should do now; None when nothing is due."""
        if self._settling:
            return self._settling.pop()
        order = self._dispatcher.next_order(worker, self._contracts, now_ns)
        if order is not None:
            self._orders.update({job.job: (job, order) for job in order.jobs})
        return order

    def handle(self, message: Report, now_ns: int) -> Answer | None:
        """Take one report in; the answer if its sender waits for one."""
        match message:
            case Started():
                with self._database.transaction() as connection:
                    job_store.start(connection, message.job, message.attempt, now_ns)
            case Surveyed():
                self._first_contact.add(message.job, message.outputs)
                self._found_tables(now_ns)
            case Sealed():
                return self._decide(message, now_ns)
            case Conclude():
                self._record(message.job, now_ns)
            case Failed():
                self._fail(message, now_ns)
            case Logged():
                self._keep_log(message)
            case Idle():
                pass
        return None

    def finish(self, failed_hashes: Sequence[str], now_ns: int) -> None:
        """End the run: promote what was held for a replacement, take out rows of bytes that are gone."""
        if self._held:
            with self._database.transaction() as connection:
                entries = commits.permit_replacement(connection, self._held, failed_hashes, self._contracts, now_ns)
            self._open_sink(self._held[0][0].sink_uri).promote(entries)
            for facts, _receipt in self._held:
                self._record(facts.id, now_ns)
            self._held.clear()
        with self._database.transaction() as connection:
            retired = commits.retire(connection, now_ns)
        for sink, commit, entry in retired:
            self._open_sink(sink).promote([entry])
            with self._database.transaction() as connection:
                commits.record_retirement(connection, sink, commit, entry)
            self._notify("rows.retired", {"table": entry.table})

    def _decide(self, sealed: Sealed, now_ns: int) -> Answer:
        """Permit a sealed attempt, hold it, or tell its worker that it is fenced."""
        receipt = sealed.receipt
        if (held := self._over_tolerance(receipt)) is not None:
            return self._fence(sealed, now_ns, "over-tolerance", held)
        try:
            with self._database.transaction() as connection:
                facts = commits.facts_of(connection, sealed.job)
                if facts.attempt != sealed.attempt:
                    return Fenced(job=sealed.job, attempt=sealed.attempt, why="a newer attempt runs")
                if facts.sink_mode == SinkMode.REPLACE:
                    receipt.check_conservation()
                    self._held.append((facts, receipt))
                    self._leave(sealed.job)
                    return Held(job=sealed.job, attempt=sealed.attempt)
                entries = commits.permit(connection, facts, receipt, self._contracts, now_ns)
        except CasparianError as exc:
            return self._fence(sealed, now_ns, exc.code, exc.message, exc.why)
        if entries is None:
            return self._fence(sealed, now_ns, "cancelled", "cancelled before it committed", to=JobState.ABORTED)
        return Permit(job=sealed.job, attempt=sealed.attempt, entries=entries)

    def _over_tolerance(self, receipt: Receipt) -> str | None:
        emitted = sum(count.emitted for count in receipt.counts)
        quarantined = sum(count.quarantined for count in receipt.counts)
        if emitted and quarantined / emitted > self._policy.tolerance:
            return f"{quarantined} of {emitted} rows were rejected, more than {self._policy.tolerance:.2%}"
        return None

    def _fence(
        self, sealed: Sealed, now_ns: int, code: str, message: str, why: str = "", to: JobState = JobState.FAILED
    ) -> Fenced:
        self._end(sealed.job, sealed.attempt, to, now_ns, code=code, message=message, why=why)
        return Fenced(job=sealed.job, attempt=sealed.attempt, why=message)

    def _record(self, job: int, now_ns: int) -> None:
        with self._database.transaction() as connection:
            receipt = commits.record(connection, commits.facts_of(connection, job), self._contracts, now_ns)
        self._leave(job)
        self.totals.completed += 1
        self.totals.accepted += sum(count.accepted for count in receipt.counts)
        self.totals.quarantined += sum(count.quarantined for count in receipt.counts)
        self.totals.rescued += sum(count.rescued for count in receipt.counts)
        self.totals.ended[job] = JobState.COMPLETED
        self._notify(
            "job.completed",
            {
                "job": job,
                "rows": sum(count.accepted for count in receipt.counts),
                "quarantined": sum(count.quarantined for count in receipt.counts),
            },
        )

    def _fail(self, failed: Failed, now_ns: int) -> None:
        """End a failed attempt for good, or give a transient failure another try after a pause."""
        tries = self._attempt_failures.get(failed.job, 0)
        if failed.transient and failed.code != "source-changed" and tries < len(BACK_OFF_NS):
            self._attempt_failures[failed.job] = tries + 1
            with self._database.transaction() as connection:
                again = job_store.requeue(
                    connection,
                    failed.job,
                    failed.attempt,
                    now_ns + BACK_OFF_NS[tries],
                    counts=True,
                    code=failed.code,
                    message=failed.message,
                )
            if again:
                self._notify("job.retried", {"job": failed.job, "message": failed.message})
                return
        to = JobState.ABORTED if failed.code == "cancelled" else JobState.FAILED
        self._end(
            failed.job,
            failed.attempt,
            to,
            now_ns,
            code=failed.code,
            message=failed.message,
            why=failed.why,
            transient=failed.transient,
        )

    def _end(self, job: int, attempt: int, to: JobState, now_ns: int, **error: Any) -> None:
        with self._database.transaction() as connection:
            changed = job_store.end(connection, job, attempt, to, now_ns, **error)
            if not changed and not job_store.is_committing(connection, job):
                return
        # A permitted job whose rows could not be made visible stays `committing`: the next start rolls it forward.
        to = to if changed else JobState.COMMITTING
        self._leave(job)
        match to:
            case JobState.REJECTED:
                self.totals.rejected += 1
            case JobState.ABORTED:
                self.totals.aborted += 1
            case _:
                self.totals.failed += 1
        self.totals.ended[job] = to
        self._notify(f"job.{to}", {"job": job, **error})
        self._found_tables(now_ns)

    def _leave(self, job: int) -> None:
        self._open.discard(job)
        self._first_contact.leave(job)
        self._orders.pop(job, None)

    def _found_tables(self, now_ns: int) -> None:
        """Give complete scopes their contracts, or hold them for a person."""
        for surveys in self._first_contact.take_complete():
            founded = found_tables(surveys, self._contracts)
            if self._policy.holds_first_contracts and founded.contracts:
                self._hold(surveys.keys(), founded.contracts, now_ns)
                continue
            with self._database.transaction() as connection:
                for contract in founded.contracts:
                    contract_store.apply_first(connection, contract, {"jobs": sorted(surveys)}, AUTOMATIC, now_ns)
            for contract in founded.contracts:
                self._contracts[contract.table] = contract
                self.adopted.add(contract.table)
                self._notify("contract.adopted", {"table": contract.table, "columns": len(contract.columns)})
            for job, surveyed in surveys.items():
                order, dispatch = self._orders[job]
                tables = {output.output: founded.tables[job, output.output] for output in surveyed}
                self._settling.append(
                    Settle(
                        parser=dispatch.parser,
                        order=order,
                        sink_uri=dispatch.sink_uri,
                        staging=dispatch.staging,
                        tables=tables,
                        contracts={table: self._contracts[table] for table in tables.values()},
                    )
                )

    def _hold(self, waiting: Any, drafted: Sequence[Contract], now_ns: int) -> None:
        """Propose the drafts; the jobs end `rejected` and keep nothing staged."""
        with self._database.transaction() as connection:
            for contract in drafted:
                number = contract_store.propose(connection, contract, {"jobs": sorted(waiting)}, AUTOMATIC, now_ns)
                self._notify("contract.proposed", {"table": contract.table, "contract": number})
        for job in list(waiting):
            order, _dispatch = self._orders[job]
            self._end(
                job,
                order.attempt,
                JobState.REJECTED,
                now_ns,
                code="awaiting-approval",
                message=" ".join(contract.table for contract in drafted),
                why="the first contract of a table waits for a person",
            )

    def _keep_log(self, logged: Logged) -> None:
        key = (logged.job, logged.attempt)
        first = self._log_lines.get(key, 0)
        with self._database.transaction() as connection:
            job_store.add_log_lines(connection, logged.job, logged.attempt, first, logged.lines)
        self._log_lines[key] = first + len(logged.lines)
