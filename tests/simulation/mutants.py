"""Protocols that are known to be wrong, made out of the product's own; the simulator must find each of them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import ColumnElement, Connection, literal_column, update

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import JobPhase, JobState
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.bodies import Abort, Err, Progress, Seal, Sealed
from casparian_flow.protocol.codec import Message
from casparian_flow.sentinel.actions import Action, Discard
from casparian_flow.sentinel.commit.committing import Committing
from casparian_flow.sentinel.core import SentinelCore
from casparian_flow.sentinel.queue import heartbeats, presence
from casparian_flow.sentinel.queue.attempts import Attempts
from casparian_flow.sentinel.queue.heartbeats import Heartbeats
from casparian_flow.sentinel.queue.leases import Lease, Leases
from casparian_flow.sentinel.queue.presence import Presence
from casparian_flow.sentinel.queue.sessions import Session, Sessions
from casparian_flow.sentinel.run_ends import RunEnds
from casparian_flow.sentinel.runs import CancelOutcome, Run
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import jobs
from casparian_flow.worker.core import WorkerCore
from casparian_flow.worker.hearing import Hearing, News

from .worker_node import Work, WorkerNode
from .world import PRODUCT, Build

Patch = tuple[object, str, object]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong protocol: what it is made of, and in how many worlds, from which seed on, it has to be found out."""

    why: str
    build: Build = PRODUCT
    patches: Sequence[Patch] = ()
    first: int = 1
    worlds: int = 60
    steps: int = 400

    @contextmanager
    def at_work(self) -> Iterator[Build]:
        """The wrong protocol instead of the right one."""
        with ExitStack() as stack:
            for owner, name, wrong in self.patches:
                stack.enter_context(patch.object(owner, name, wrong))
            yield self.build


class PromotesFirst(WorkerNode):
    """Makes its rows visible, then tells."""

    def _sealed(self, work: Work, receipts: list[Receipt], now: float) -> None:
        for (job, _attempt), receipt in zip(work.asked, receipts, strict=True):
            self._sinks.promote_without_permit(receipt.outputs, job)
        super()._sealed(work, receipts, now)


class DropsWhatIsSealed(WorkerCore):
    """Gives everything up when the sentinel is not heard, although a permit may be on its way."""

    def _fence(self, now: float) -> None:
        super()._fence(now)
        for attempt in self._held.values():
            if attempt.phase is JobPhase.SEALED:
                self._turn_down(attempt, "the sentinel is gone")


class AsksOnce(WorkerCore):
    """Believes that what it sent has arrived."""

    def _resend(self, now: float) -> None:
        self._asking.due = float("inf")


_judge = Hearing.judge


def _take_old(self: Hearing, message: Message) -> News:
    self.seen = 0
    return _judge(self, message)


def _lease_of_job(self: Leases, nonce: str, job: int, attempt: int) -> Lease | None:
    return self.of_job(job)


def _permit_any_attempt(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    return all(_set_permitted(connection, each, jobs.c.cancel_requested.is_(False)) for each in sealed)


def _set_permitted(connection: Connection, sealed: dict[str, Any], *conditions: ColumnElement[bool]) -> bool:
    changed = update(jobs).where(jobs.c.id == sealed["job"], jobs.c.state == "running", *conditions)
    values = {"state": "committing", "receipt": sealed["sealed_receipt"]}
    return connection.execute(changed.values(values)).rowcount == 1


def _set(connection: Connection, job: int, state: JobState) -> None:
    connection.execute(update(jobs).where(jobs.c.id == job).values(state=state, lease_until_ns=None))


_gone = Presence.gone


def _requeue_permitted(self: Presence, session: Session, state: Any, why: str, now_ns: int, **options: bool) -> None:
    for job, nonce in self._committing.promoting.items():
        if nonce == session.nonce:
            with self._database.transaction() as connection:
                _set(connection, job, JobState.QUEUED)
    _gone(self, session, state, why, now_ns, **options)


_cancel = SentinelCore.cancel


def _cancel_permitted(self: SentinelCore, job: int, now_ns: int) -> CancelOutcome:
    outcome = _cancel(self, job, now_ns)
    if outcome.state is not JobState.COMMITTING:
        return outcome
    with self._database.transaction() as connection:
        _set(connection, job, JobState.ABORTED)
    return CancelOutcome(state=JobState.ABORTED, is_cancelled=True)


_troubled = Committing.troubled


def _fail_permitted(self: Committing, nonce: str, job: int, error: Err, now_ns: int) -> bool:
    if self.promoting.get(job) == nonce:
        with self._database.transaction() as connection:
            _set(connection, job, JobState.FAILED)
    return _troubled(self, nonce, job, error, now_ns)


def _permit_cancelled(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    return all(_set_permitted(connection, each, jobs.c.attempt == each["of_attempt"]) for each in sealed)


_sealed = Committing.sealed


def _sealed_though_cancelled(self: Committing, nonce: str, group: Sealed, now_ns: int) -> Any:
    for each in group.jobs:
        if (lease := self._leases.of_job(each.job)) is not None:
            lease.is_cancelled = False
    return _sealed(self, nonce, group, now_ns)


def _only_committing(connection: Connection) -> Sequence[AnyRow]:
    return connection.execute(job_store.COMMITTING).all()


def _nothing_rolls(self: RunEnds, now_ns: int, *, also: Callable[[int], bool] = bool) -> list[Action]:
    return []


def _claim_again(connection: Connection, *args: Any, **options: Any) -> Any:
    """A claim that gives the attempt its old number."""
    row = _claim(connection, *args, **options)
    if row is not None and row.attempt > 1:
        connection.execute(update(jobs).where(jobs.c.id == row.id).values(attempt=literal_column("attempt - 1")))
        return connection.execute(jobs.select().where(jobs.c.id == row.id)).one()
    return row


_claim = job_store.claim
_progress = Heartbeats._progress


def _hears_of_surveys(self: Heartbeats, session: Session, lease: Lease, said: Progress, *rest: Any) -> None:
    _progress(self, session, lease, said, *rest)
    lease.is_surveyed = lease.is_surveyed or said.phase is JobPhase.SURVEYED


def _permit_the_others(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    job_store.PERMIT_COMMIT.run_all(connection, sealed)
    return True


_record = Committing.record


def _record_one(self: Committing, connection: Connection, jobs: Iterable[int], now_ns: int) -> None:
    _record(self, connection, list(jobs)[:1], now_ns)


_refuse = Committing._refuse


def _refuse_everyone(self: Committing, leases: Sequence[Lease], wrong: dict[int, CasparianError], *words: Any) -> Abort:
    return _refuse(self, leases, {lease.job: error for lease in leases for error in wrong.values()}, *words)


def _others_failed(self: Attempts, lease: Lease, now_ns: int) -> None:
    self.lost(lease, "one of its group may not commit", now_ns)


def _drop_alone(self: Committing, run: Run, job: int, now_ns: int) -> None:
    facts, receipt = run.held.pop(job)
    self._act(Discard(job=facts.id, attempt=facts.attempt, outputs=receipt.outputs))


class ForgetsSomeOnResend(WorkerCore):
    """Says again what a group came to, but for its last job."""

    def _resend(self, now: float) -> None:
        for attempt in self._held.values():
            if attempt.question is not None and isinstance(attempt.question.body, Seal):
                group = attempt.question.body.outcome
                if isinstance(group, Sealed) and len(group.jobs) > 1:
                    attempt.question.body = Seal(outcome=Sealed(jobs=group.jobs[:-1]))
        super()._resend(now)


MUTANTS: dict[str, Mutant] = {
    "worker-promotes-first": Mutant(
        "rows are visible before anybody decided that they may be", Build(node=PromotesFirst), first=1
    ),
    "permit-any-attempt": Mutant(
        "the permit goes to whoever asks, not to the attempt that counts",
        patches=[(Leases, "held", _lease_of_job), (job_store, "permit", _permit_any_attempt)],
        first=5,
    ),
    "requeue-permitted": Mutant(
        "a permitted job is given to another worker when its own goes away",
        patches=[(Presence, "gone", _requeue_permitted)],
        first=15,
    ),
    "cancel-permitted": Mutant(
        "a job is aborted while it commits",
        Build(often="cancel"),
        patches=[(SentinelCore, "cancel", _cancel_permitted)],
        first=3,
    ),
    "permit-cancelled": Mutant(
        "a job commits after somebody was told that it is cancelled",
        Build(often="cancel"),
        patches=[(Committing, "sealed", _sealed_though_cancelled), (job_store, "permit", _permit_cancelled)],
        first=23,
    ),
    "fail-permitted": Mutant(
        "a job that could not be made visible yet ends as failed",
        patches=[(Committing, "troubled", _fail_permitted)],
        first=15,
    ),
    "answer-before-durable": Mutant(
        "what the sentinel says leaves before it is durable", Build(is_durable_first=False), first=40
    ),
    "incarnation-unchecked": Mutant(
        "a sentinel that was taken over goes on",
        patches=[(Database, "_check_incarnation", lambda _self: None)],
        first=13,
    ),
    "old-messages-at-sentinel": Mutant(
        "the sentinel takes in what a worker said long ago", patches=[(Sessions, "is_new", lambda *_: True)], first=15
    ),
    "old-messages-at-worker": Mutant(
        "a worker takes in what its sentinel said long ago", patches=[(Hearing, "judge", _take_old)], first=14
    ),
    "fence-drops-sealed": Mutant(
        "a worker that cannot hear removes what may be permitted", Build(worker=DropsWhatIsSealed), first=9
    ),
    "asks-once": Mutant("a question that is lost is never asked again", Build(worker=AsksOnce), first=1),
    "stops-what-asks": Mutant(
        "an attempt that waits for its answer is stopped because it is in no list any more",
        patches=[(module, "ASKING", frozenset({JobPhase.PROMOTING})) for module in (heartbeats, presence)],
        first=5,
    ),
    "sweep-what-is-out": Mutant(
        "a start removes the files of attempts that are not decided",
        patches=[(job_store, "undecided", _only_committing)],
        first=4,
    ),
    "nothing-rolls-forward": Mutant(
        "what a worker did not finish promoting stays as it is",
        patches=[(RunEnds, "roll_forward", _nothing_rolls)],
        first=3,
    ),
    "survey-known-by-hearsay": Mutant(
        "a survey that was lost is taken for a repetition when it comes, since a heartbeat told of it",
        patches=[(Heartbeats, "_progress", _hears_of_surveys)],
        first=74,
    ),
    "lost-cast-forgotten": Mutant(
        "a cast that was lost is forgotten when a heartbeat does not name what waits",
        patches=[(Heartbeats, "_may_wait", lambda *_: False)],
        first=35,
    ),
    "same-attempt-again": Mutant(
        "a new try has the number of the one before", patches=[(job_store, "claim", _claim_again)]
    ),
    "permit-without-one": Mutant(
        "a group commits without the one of it that was cancelled, whose rows are in its files",
        Build(often="cancel"),
        patches=[(Committing, "sealed", _sealed_though_cancelled), (job_store, "permit", _permit_the_others)],
    ),
    "record-the-leader": Mutant(
        "of a group that is visible only the leader is recorded", patches=[(Committing, "record", _record_one)]
    ),
    "all-fail-for-one": Mutant(
        "who shares a group with the cause of a refusal ends as that one does",
        patches=[(Committing, "_refuse", _refuse_everyone)],
    ),
    "all-count-for-one": Mutant(
        "who is given back because of another has failed once more",
        Build(is_calm=True),
        patches=[(Attempts, "give_back", _others_failed)],
    ),
    "discard-shared-files": Mutant(
        "files of a held group go when one of it is cancelled, and the others stay held",
        Build(often="cancel", replaces=0.8),
        patches=[(Committing, "drop_held", _drop_alone)],
    ),
    "forget-on-resend": Mutant("a group that is told again has one job less", Build(worker=ForgetsSomeOnResend)),
}
