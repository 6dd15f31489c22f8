"""Events as they happen: numbered, bounded, and never at the cost of whoever reports them."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api_service import Api, running_api
from casparian_flow.clients.control import unheard
from casparian_flow.clients.http import sse
from casparian_flow.clients.http.event_log import EventLog
from casparian_flow.core.errors import NotFound
from casparian_flow.operations.registry import Reply, Request
from casparian_flow.operations.source.scan import ScanReply


@contextmanager
def stream(api: Api, path: str, method: str = "GET", body: Any = None, **headers: str) -> Iterator[Iterator[Any]]:
    """The events of a stream, as (name, data, id)."""
    connection = api.connection()
    given = {"Accept": "text/event-stream", "Content-Type": "application/json", **headers}
    connection.request(method, path, json.dumps(body) if body is not None else None, given if body else headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    assert answer.headers["content-type"] == "text/event-stream"
    try:
        yield events(answer)
    finally:
        connection.close()


def events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any, str | None]]:
    found: dict[str, str] = {}
    for raw in answer:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif "event" in found:
            yield found["event"], json.loads(found["data"]), found.get("id")
            found = {}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


def test_a_change_tells_its_progress_and_then_its_reply(api: Api) -> None:
    folder = api.home.path.parent / "files"
    folder.mkdir()
    (folder / "a.csv").write_text("id\n1\n")
    with stream(api, "/v1/scan", "POST", {"paths": [str(folder)]}, **{"Idempotency-Key": "scan"}) as found:
        told = list(found)
    assert [name for name, _, _ in told[:-1]]
    assert all("." in name for name, _, _ in told[:-1])
    name, reply, _ = told[-1]
    assert name == "reply"
    with stream(api, "/v1/scan", "POST", {"paths": [str(folder)]}, **{"Idempotency-Key": "scan"}) as found:
        assert list(found) == [("reply", reply, None)]


def test_what_goes_wrong_ends_a_stream_too(api: Api) -> None:
    with stream(api, "/v1/rules/show", "POST", {"rule": 99}) as found:
        [(name, problem, _)] = list(found)
    assert (name, problem["status"], problem["code"]) == ("problem", 404, "not-found")


def test_events_go_on_where_the_client_left_off(api: Api) -> None:
    log = api.service.events
    log.append("job.completed", {"job": 1, "plan": 5})
    first = f"7.{log.last}"
    log.append("job.failed", {"job": 2, "plan": 5})
    with stream(api, "/v1/events", **{"Last-Event-ID": first}) as found:
        assert next(found) == ("job.failed", {"job": "2", "plan": "5"}, f"7.{log.last}")
        log.append("job.completed", {"job": 3, "plan": 6})
        assert next(found)[1]["job"] == "3"
    with stream(api, f"/v1/events?after={first}&job=3") as found:
        assert next(found)[1] == {"job": "3", "plan": "6"}
    with stream(api, f"/v1/events?after={first}&plan=5") as found:
        assert next(found)[1] == {"job": "2", "plan": "5"}


def test_who_comes_from_an_earlier_start_learns_that_something_was_missed(api: Api) -> None:
    api.service.events.append("job.completed", {"job": 8})
    for after in ("6.3", "7.999999"):
        with stream(api, f"/v1/events?after={after}") as found:
            assert next(found)[0] == "gap"
            assert "." in next(found)[0]


@pytest.mark.parametrize("after", ["x", "7.", "7.-1", ".3", "7." + "9" * 30])
def test_what_is_no_id_of_an_event_is_refused(api: Api, after: str) -> None:
    assert api.get(f"/v1/events?after={after}").status == 422


def test_a_ring_that_ran_over_says_which_events_are_gone() -> None:
    log = EventLog("1", most=3)
    for number in range(10):
        log.append("job.queued", {"job": number})
    page = log.read(2, 100)
    assert page.is_gap
    assert [event.seq for event in page.events] == [8, 9, 10]
    assert not log.read(7, 100).is_gap
    assert log.read(10, 100).events == []
    assert log.read(7, 1).last == 8


def test_a_ring_holds_no_more_bytes_than_it_may() -> None:
    log = EventLog("1", most_bytes=10_000)
    for number in range(100):
        log.append("parser.said", {"job": number, "text": "x" * 1000})
    assert sum(len(event.values) for event in log.read(0, 1000).events) <= 10_000
    log.append("parser.said", {"job": 5, "text": "x" * (1 << 20)})
    assert log.read(log.last - 1, 1).events[0].values == b'{"is_cut":true,"job":"5"}'


def test_a_watcher_is_woken_once_until_it_reads() -> None:
    log, woken = EventLog("1"), []
    watcher = log.watch(lambda: woken.append(1))
    for _ in range(5):
        log.append("job.queued", {})
    assert woken == [1]
    log.about_to_read(watcher)
    log.append("job.queued", {})
    assert woken == [1, 1]
    log.leave(watcher)
    log.about_to_read(watcher)
    log.append("job.queued", {})
    assert woken == [1, 1]


def test_events_of_many_threads_have_one_order() -> None:
    log = EventLog("1", most=100_000)
    threads = [
        threading.Thread(target=lambda: [log.append("job.queued", {"job": n}) for n in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in log.read(0, 100_000).events] == list(range(1, 2001))


class LoudDoor:
    """Reports far more than a client takes, then ends as it is told."""

    def __init__(self, asker: Any) -> None:
        del asker

    def ask(self, name: str, request: Request, report: Any = unheard) -> Reply:
        for number in range(50_000):
            report("file.found", {"number": number})
        raise NotFound(f"{name} found nothing", why=type(request).__name__)

    def attempt(self, name: str, request: Request) -> Reply:
        raise AssertionError(f"{name} was not to be tried: {request}")


def test_a_client_that_does_not_read_holds_up_nobody_and_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "STALL_SECONDS", 0.3)
    with running_api(tmp_path, LoudDoor) as api, api.socket_to() as deaf:
        deaf.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = deaf.recv(4096)
        assert head.startswith(b"HTTP/1.1 200")
        for number in range(20_000):
            api.service.events.append("job.completed", {"job": number, "text": "x" * 500})
        assert api.get("/health/live").status == 200
        for _ in range(2000):
            if not api.service.streams:
                break
            threading.Event().wait(0.005)
        assert api.service.streams == 0
        with pytest.raises(ConnectionResetError):
            while deaf.recv(1 << 20):
                pass
            raise ConnectionResetError  # the kernel may end it in order
        answer = api.ask(
            "POST", "/v1/scan", {}, headers={"Accept": "text/event-stream", "Idempotency-Key": "loud"}
        ).body
        assert answer.endswith(b"\n\n")
        assert b"event: problem" in answer[-600:]
        assert b"event: gap" in answer


def test_no_more_clients_are_sent_events_than_may_be(tmp_path: Path) -> None:
    with running_api(tmp_path, most_streams=1) as api, stream(api, "/v1/events"):
        said = api.get("/v1/events")
        assert (said.status, said.json["code"]) == (503, "service-busy")
        assert said.headers["Retry-After"] == "1"
        assert api.get("/health/live").status == 200


def test_replies_are_what_the_registry_promises(api: Api) -> None:
    reply = api.change("/v1/scan", {}, "promised")
    assert set(reply.json) == set(ScanReply.__struct_fields__)


def test_who_follows_is_told_that_the_service_stops(tmp_path: Path) -> None:
    with running_api(tmp_path) as api, stream(api, "/v1/events") as found:
        api.service.told("job.completed", {"job": 1, "event": "odd"})
        assert next(found)[:2] == ("job.completed", {"job": "1", "event": "odd"})
        api.service.end_streams()
        assert [name for name, _, _ in found] == ["end"]
        assert b'casparian_events_total{event="job.completed"} 1' in api.get("/metrics").body
