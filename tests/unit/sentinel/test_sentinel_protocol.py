"""Random orders of messages against the real store: only the newest, uncancelled attempt ever commits, and once.

The walk is run on the product's statements and on variants that are known to be wrong; each of those must be caught.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Connection, Update, select, update

from builders import HomeBuilder
from casparian_flow.core.jobs import MOVES, JobState
from casparian_flow.store import job_ends, tables
from casparian_flow.store import jobs as job_store

STEPS = 60
WALKS = 40
jobs = tables.jobs


class Broken(AssertionError):
    """A law of the protocol does not hold."""


class Walk:
    """One job, workers that may be stale, and everything that was ever promised about it."""

    def __init__(self, past: HomeBuilder, seed: int) -> None:
        self.past = past
        self.chance = random.Random(seed)
        source = past.source(f"/evidence{seed}".encode())
        location = past.location(source)
        self.job = past.job(
            location, past.version(location, str(seed).encode()), past.parser(f"p{seed}"), "queued", attempt=0
        )
        self.attempts: set[int] = set()
        self.permitted: list[int] = []
        self.cancelled_before_permit = False

    def run(self) -> None:
        steps: list[Callable[[Connection], None]] = [
            self.claim, self.start, self.permit, self.end, self.requeue, self.cancel, self.complete, self.abandon,
        ]  # fmt: skip
        for _ in range(STEPS):
            step = self.chance.choices(steps, weights=[6, 6, 2, 0.5, 4, 0.7, 2, 0.1])[0]
            with self.past.database.transaction() as connection:
                before = self.state(connection)
                step(connection)
                after = self.state(connection)
            if after is not before and after not in MOVES[before]:
                raise Broken(f"{step.__name__} went from {before} to {after}")

    def state(self, connection: Connection) -> JobState:
        return JobState(connection.execute(select(jobs.c.state).where(jobs.c.id == self.job)).scalar_one())

    def current(self, connection: Connection) -> int:
        return int(connection.execute(select(jobs.c.attempt).where(jobs.c.id == self.job)).scalar_one())

    def some_attempt(self) -> int:
        return self.chance.choice(sorted(self.attempts)) if self.attempts else 0

    def claim(self, connection: Connection) -> None:
        row = job_store.claim(connection, "w", "boot", 10**19 // 2, 1, oldest_first=self.chance.random() < 0.5)
        if row is not None and row.id == self.job:
            if row.attempt in self.attempts:
                raise Broken("an attempt was given out twice")
            self.attempts.add(row.attempt)

    def start(self, connection: Connection) -> None:
        job_store.start(connection, [(self.job, self.some_attempt())], 1)

    def permit(self, connection: Connection) -> None:
        attempt = self.some_attempt()
        sealed = {"sealed_receipt": "{}", "sealed_rows": 0, "sealed_bytes": 0}
        if job_store.permit(connection, [{"job": self.job, "of_attempt": attempt, **sealed}]):
            self.permitted.append(attempt)
            if len(self.permitted) > 1:
                raise Broken("two permits for one job")
            if attempt != self.current(connection):
                raise Broken("a stale attempt was permitted")
            if self.cancelled_before_permit:
                raise Broken("a cancelled job was permitted")

    def end(self, connection: Connection) -> None:
        attempt = self.some_attempt()
        if job_ends.end(connection, self.job, attempt, JobState.FAILED, 1, code="x", message="x") and self.permitted:
            raise Broken("a permitted job was ended as failed")

    def requeue(self, connection: Connection) -> None:
        if job_ends.requeue(connection, self.job, self.some_attempt(), 0, counts=True) and self.permitted:
            raise Broken("a permitted job was queued again")

    def cancel(self, connection: Connection) -> None:
        if job_store.request_cancel(connection, self.job):
            if self.permitted:
                raise Broken("a permitted job was told that it is cancelled")
            self.cancelled_before_permit = True

    def complete(self, connection: Connection) -> None:
        if job_store.complete(connection, [self.job], 1) and not self.permitted:
            raise Broken("a job was completed without a permit")

    def abandon(self, connection: Connection) -> None:
        if job_ends.abandon_unpermitted(connection, 1, "gone") and self.permitted:
            raise Broken("a permitted job was abandoned")


def walk_all(folder: Path, walks: int = WALKS) -> None:
    with HomeBuilder(folder) as past:
        for seed in range(walks):
            try:
                Walk(past, seed).run()
            except Broken as broken:
                raise Broken(f"seed {seed}: {broken}") from broken
            with past.database.transaction() as connection:
                job_ends.abandon_unpermitted(connection, 1, "the walk is over")


@pytest.mark.invariant(2)
def test_no_order_of_messages_breaks_the_protocol(tmp_path: Path) -> None:
    walk_all(tmp_path / "home")


def permit_where(sealed: Sequence[dict[str, Any]], *conditions: ColumnElement[bool]) -> Update:
    [each] = sealed
    return update(jobs).where(jobs.c.id == each["job"], *conditions).values(state="committing")


def permit_without_attempt(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    changed = permit_where(sealed, jobs.c.state == "running", jobs.c.cancel_requested.is_(False))
    return connection.execute(changed).rowcount == 1


def permit_without_cancel(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    changed = permit_where(sealed, jobs.c.attempt == sealed[0]["of_attempt"], jobs.c.state == "running")
    return connection.execute(changed).rowcount == 1


def permit_from_any_state(connection: Connection, sealed: Sequence[dict[str, Any]]) -> bool:
    changed = permit_where(sealed, jobs.c.attempt == sealed[0]["of_attempt"], jobs.c.cancel_requested.is_(False))
    return connection.execute(changed).rowcount == 1


def requeue_after_permit(connection: Connection, job: int, attempt: int, due_ns: int, **_error: object) -> bool:
    changed = update(jobs).where(
        jobs.c.id == job, jobs.c.attempt == attempt, jobs.c.state.in_(["running", "committing"])
    )
    return connection.execute(changed.values(state="queued")).rowcount == 1


def cancel_after_permit(connection: Connection, job: int) -> bool:
    changed = update(jobs).where(jobs.c.id == job, jobs.c.state.in_(["queued", "dispatched", "running", "committing"]))
    return connection.execute(changed.values(cancel_requested=True)).rowcount == 1


def end_after_permit(connection: Connection, job: int, attempt: int, to: JobState, now_ns: int, **_e: object) -> bool:
    changed = update(jobs).where(
        jobs.c.id == job, jobs.c.attempt == attempt, jobs.c.state.in_(["running", "committing"])
    )
    return connection.execute(changed.values(state=to)).rowcount == 1


def complete_without_permit(connection: Connection, permitted: Sequence[int], now_ns: int) -> bool:
    changed = update(jobs).where(jobs.c.id.in_(permitted), jobs.c.state.in_(["running", "committing"]))
    return connection.execute(changed.values(state="completed")).rowcount == 1


@pytest.mark.parametrize(
    ("store", "name", "wrong"),
    [
        (job_store, "permit", permit_without_attempt),
        (job_store, "permit", permit_without_cancel),
        (job_store, "permit", permit_from_any_state),
        (job_ends, "requeue", requeue_after_permit),
        (job_store, "request_cancel", cancel_after_permit),
        (job_ends, "end", end_after_permit),
        (job_store, "complete", complete_without_permit),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_each_known_wrong_variant_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: ModuleType, name: str, wrong: Callable[..., bool]
) -> None:
    monkeypatch.setattr(store, name, wrong)
    with pytest.raises(Broken):
        walk_all(tmp_path / "home")
