"""The loop around the sentinel: calls from other threads, its end, a database that cannot be written for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from builders import NOW_NS, HomeBuilder
from casparian_flow.core.errors import NotFound, SentinelStopped
from casparian_flow.core.jobs import JobState
from casparian_flow.protocol.in_process import InProcessRouter
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.sentinel import loop as module
from casparian_flow.sentinel.core import SentinelCore
from casparian_flow.sentinel.execution import Served
from casparian_flow.sentinel.loop import Loop
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.runs import Policy
from casparian_flow.store import meta
from casparian_flow.store import runs as run_store
from casparian_flow.store.database import Database
from casparian_flow.store.turn import Turn
from scripted_worker import MANIFEST

PLAN = 7


def no_sink(uri: str) -> Any:
    raise AssertionError(f"nothing is to be done at {uri}")


@contextmanager
def a_service(past: HomeBuilder) -> Iterator[Loop]:
    """A sentinel in a thread of its own, beside the connection of the test."""
    with past.database.transaction() as connection:
        incarnation = meta.next_incarnation(connection)
    database = Database(past.home.state, Turn(), incarnation)

    def make_core(notify: Notify) -> SentinelCore:
        key = PseudonymKey(past.home.pseudonym_key)
        return SentinelCore(
            database, incarnation=incarnation, session=f"s{time.monotonic_ns()}", notify=notify, key=key
        )

    loop = Loop(database, InProcessRouter(), make_core, no_sink, time.time_ns, promoters=1)
    thread = threading.Thread(target=loop.serve)
    thread.start()
    try:
        yield loop
    finally:
        loop.stop()
        thread.join()
        database.close()


@pytest.fixture
def past(tmp_path: Path) -> Iterator[HomeBuilder]:
    with HomeBuilder(tmp_path / "home") as builder:
        yield builder


def submit(past: HomeBuilder) -> int:
    """A run with one job that nobody is there to do."""
    location = past.location(past.source())
    parser = past.parser(manifest=MANIFEST)
    job = past.job(location, past.version(location), parser, "queued", plan_id=PLAN, attempt=0)
    with past.database.transaction() as connection:
        run_store.submit(connection, PLAN, msgspec.json.encode(Policy()).decode(), "ann", [], NOW_NS)
    return job


def waiting(execution: Served, outcome: list[object]) -> threading.Thread:
    """A thread that waits for the run, and keeps what it heard or how that ended."""

    def wait() -> None:
        try:
            execution.wait(PLAN, lambda event, _values: outcome.append(event))
            outcome.append("over")
        except SentinelStopped as stopped:
            outcome.append(stopped.code)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def until(holds: Callable[[], bool]) -> None:
    """Wait until that holds; the test fails if it never does."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_waits_for_a_run_hears_its_events_and_its_end(past: HomeBuilder) -> None:
    job, heard = submit(past), list[object]()
    with a_service(past) as loop:
        execution = Served(loop)
        execution.submit(PLAN, 1)
        thread = waiting(execution, heard)
        until(lambda: len(loop._listeners) == 1)
        assert execution.cancel(job, 5).state is JobState.ABORTED
        thread.join()
    assert heard == ["job.aborted", "run.over", "over"]


def test_who_waits_is_told_that_the_sentinel_ended_and_the_run_goes_on_with_the_next_one(past: HomeBuilder) -> None:
    job, heard = submit(past), list[object]()
    with a_service(past) as loop:
        execution = Served(loop)
        execution.submit(PLAN, 1)
        thread = waiting(execution, heard)
        until(lambda: len(loop._listeners) == 1)
        loop.stop()
        thread.join()
    assert heard == ["sentinel-stopped"]
    with pytest.raises(SentinelStopped):
        execution.set_priority(job, 1)
    with a_service(past) as loop:
        assert not loop.call(lambda core, _now: core.is_over(PLAN))
        assert Served(loop).set_priority(job, 77)


def test_what_a_call_raises_is_its_askers_alone(past: HomeBuilder) -> None:
    with a_service(past) as loop:
        with pytest.raises(NotFound):
            Served(loop).cancel(1, 0)
        assert loop.call(lambda core, _now: core.is_idle)


def test_a_database_that_cannot_be_written_for_a_while_loses_nothing(
    past: HomeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    job = submit(past)
    with a_service(past) as loop:
        execution = Served(loop)
        execution.submit(PLAN, 1)
        before = loop.core

        def full(core: SentinelCore, _now: int) -> None:
            core.set_priority(job, 99)
            raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

        with pytest.raises(SentinelStopped):
            loop.call(full)
        until(lambda: loop.core is not before)
        assert not loop.call(lambda core, _now: core.is_over(PLAN))
        assert execution.cancel(job, 5).is_cancelled
    row = past.database.driver.execute("SELECT state, priority FROM cf_jobs WHERE id = ?", (job,)).fetchone()
    assert tuple(row) == ("aborted", 10)


def test_a_message_that_nobody_foresaw_costs_the_sentinel_its_memory_and_not_its_life(
    past: HomeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    job = submit(past)
    told: list[dict[str, object]] = []
    with a_service(past) as loop:
        loop.subscribe(lambda event, values: told.append(values) if event == "sentinel.interrupted" else None)
        Served(loop).submit(PLAN, 1)
        before = loop.core
        loop.call(lambda core, _now: monkeypatch.setattr(core, "receive", lambda *_message: 1 // 0))
        loop._router.connect(b"odd").send(b"anything")  # type: ignore[attr-defined]
        until(lambda: loop.core is not before)
        assert Served(loop).cancel(job, 5).is_cancelled
    assert [each["message"] for each in told] == ["ZeroDivisionError: integer division or modulo by zero"]


def test_the_sleep_of_the_machine_is_nobodys_silence(past: HomeBuilder) -> None:
    with past.database.transaction() as connection:
        past.database.incarnation = incarnation = meta.next_incarnation(connection)
    now = [NOW_NS]
    leaps: list[int] = []

    class Watched(SentinelCore):
        def leapt(self, by_ns: int) -> None:
            leaps.append(by_ns)
            super().leapt(by_ns)

    def make_core(notify: Notify) -> SentinelCore:
        key = PseudonymKey(past.home.pseudonym_key)
        return Watched(past.database, incarnation=incarnation, session="s", notify=notify, key=key)

    loop = Loop(past.database, InProcessRouter(), make_core, no_sink, lambda: now[0])
    for seconds in (0, 1, 3600, 2, -7200):
        now[0] += seconds * 10**9
        loop.step(0)
    assert leaps == [3600 * 10**9, -7200 * 10**9]
