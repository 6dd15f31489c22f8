"""Workers as a person sees them, and pauses of parsers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builders import NOW_NS, HomeBuilder, StoreActing
from casparian_flow.core.errors import NotFound
from casparian_flow.core.workers import WorkerState
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.home import status
from casparian_flow.operations.doing.parser import pause as parser_pause
from casparian_flow.operations.doing.service import workers
from casparian_flow.operations.home.status import AskStatus
from casparian_flow.operations.parser.pause import ResumeParser, ShowParser
from casparian_flow.operations.service.workers import DrainWorker, ListWorkers, RemoveWorker, ShowWorker
from casparian_flow.settings import Settings
from casparian_flow.store import tables
from casparian_flow.store.database import open_read_only

SECOND = 1_000_000_000


def reading(past: HomeBuilder, connection) -> Reading:
    return Reading(home=past.home, settings=Settings(), connection=connection, cwd=Path("/evidence"), now_ns=NOW_NS)


def ask(past: HomeBuilder, function, request):
    with open_read_only(past.home.state) as connection:
        return function(reading(past, connection), request)


def a_worker(past: HomeBuilder, name: str, state: str = "present", seen_seconds: float = 1, **changes) -> None:
    values = {
        "name": name,
        "session": f"{name}-1",
        "host": "h",
        "pid": 7,
        "product": "0",
        "slots": 2,
        "labels": '{"zone": "lab"}',
        "isolation": "process",
        "environments": "[]",
        "parsers": '["csv"]',
        "state": state,
        "joined_at_ns": NOW_NS,
        "seen_at_ns": int(NOW_NS - seen_seconds * SECOND),
    }
    with past.database.transaction() as connection:
        connection.execute(tables.workers.insert(), values | changes)


def a_key(past: HomeBuilder, worker: str, key: str, revoked: int | None = None) -> None:
    values = {"public_key": key, "worker": worker, "admitted_at_ns": NOW_NS, "revoked_at_ns": revoked}
    with past.database.transaction() as connection:
        connection.execute(tables.worker_keys.insert(), values)


@dataclass
class Service:
    """Takes note of which workers it was told to do without."""

    told: list[tuple[str, str]] = field(default_factory=list)

    def drain(self, worker: str) -> bool:
        self.told.append(("drain", worker))
        return True

    def remove(self, worker: str) -> bool:
        self.told.append(("remove", worker))
        return True


def test_a_worker_is_shown_with_what_it_holds_in_this_session_and_how_many_slots_that_takes(past):
    a_worker(past, "w1")
    location = past.location(past.source())
    version, csv = past.version(location), past.parser()
    held = [
        past.job(location, version, csv, "running", worker="w1", session="w1-1", phase=phase)
        for phase in ("parsing", "starting", "starting")
    ]
    past.job(location, version, csv, "running", worker="w1", session="of an earlier life")
    past.job(location, version, csv, "completed", worker="w1", session="w1-1")
    detail = ask(past, workers.show, ShowWorker(worker="w1"))
    assert detail.holds == [str(job) for job in held]
    entry = detail.worker
    assert (entry.state, entry.busy, entry.free, entry.jobs, entry.labels) == ("present", 1, 1, 3, {"zone": "lab"})
    with pytest.raises(NotFound):
        ask(past, workers.show, ShowWorker(worker="w2"))


def test_who_was_not_heard_is_lost_and_who_went_is_listed_only_on_request(past):
    a_worker(past, "here")
    a_worker(past, "leaving", "draining")
    a_worker(past, "silent", seen_seconds=31)
    a_worker(past, "lost", "lost")
    a_worker(past, "went", "gone", seen_seconds=9999)
    states = {each.name: each.state for each in ask(past, workers.list_, ListWorkers()).workers}
    assert states == {"here": "present", "leaving": "draining", "silent": "lost", "lost": "lost"}
    assert "went" in {each.name for each in ask(past, workers.list_, ListWorkers(gone=True)).workers}


def test_removing_a_worker_revokes_its_keys_before_it_is_sent_away(past):
    a_worker(past, "w1")
    a_key(past, "w1", "k1")
    a_key(past, "w1", "k0", revoked=1)
    a_key(past, "w2", "k2")
    acting = StoreActing(past.database, Path("/"), past.home, execution=Service())
    assert ask(past, workers.show, ShowWorker(worker="w1")).worker.key == "admitted"
    reply = workers.remove(acting, RemoveWorker(worker="w1"))
    assert (reply.keys, reply.worker.state, reply.worker.key) == (1, WorkerState.GONE, "revoked")
    assert acting.execution.told == [("remove", "w1")]
    open_keys = past.database.driver.execute("SELECT public_key FROM cf_worker_keys WHERE revoked_at_ns IS NULL")
    assert open_keys.fetchall() == [("k2",)]
    with pytest.raises(NotFound):
        workers.drain(acting, DrainWorker(worker="w9"))
    assert workers.drain(acting, DrainWorker(worker="w1")).is_changed


def test_a_paused_parser_says_since_when_and_why_and_resumes_in_every_version(past):
    location = past.location(past.source())
    version = past.version(location)
    paused = [past.parser("own", artifact_hash=f"blake3:{n}", failures=5, paused_at_ns=NOW_NS) for n in (1, 2)]
    for number in range(7):
        error = {"error_code": "parser-raised", "error_message": f"boom {number}", "finished_at_ns": NOW_NS + number}
        past.job(location, version, paused[0], "failed", **error)
    past.job(location, version, paused[0], "failed", error_code="sink-unavailable", finished_at_ns=NOW_NS + 99)
    past.job(location, version, paused[1], "rejected", error_code="parser-paused", finished_at_ns=NOW_NS)
    detail = ask(past, parser_pause.show, ShowParser(parser="own"))
    assert (detail.parser.paused is None, detail.parser.failures) == (False, 5)
    assert [each.message for each in detail.failed] == [f"boom {number}" for number in (6, 5, 4, 3, 2)]
    assert ask(past, status.status, AskStatus()).paused_parsers == 1
    acting = StoreActing(past.database, Path("/"), past.home)
    reply = parser_pause.resume(acting, ResumeParser(parser="own"))
    assert (reply.versions, reply.refused) == (["1.0.0", "1.0.0"], 1)
    left = past.database.driver.execute("SELECT failures, paused_at_ns FROM cf_parsers").fetchall()
    assert set(left) == {(0, None)}
    assert parser_pause.resume(acting, ResumeParser(parser="own")).versions == []
    with pytest.raises(NotFound):
        parser_pause.resume(acting, ResumeParser(parser="nobody"))
