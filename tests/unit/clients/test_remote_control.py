"""A client gets what a sentinel answers, and says what is known when no answer comes."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from casparian_flow.clients.remote.control import RemoteControl
from casparian_flow.clients.remote.endpoint import SocketEndpoint, endpoint_at
from casparian_flow.core.errors import (
    CasparianError,
    ConnectionLost,
    HomeBusy,
    NotFound,
    SentinelMissing,
    UsageError,
    every_error,
)
from casparian_flow.operations.job.jobs import JobList, ListJobs
from casparian_flow.operations.source.tags import ChangeTags
from scripted_server import hangs_up, problem, says, scripted_server, streams

CHANGE = ChangeTags(files=("x",), tag="a")
CHANGED = {"tag": "a", "changed": 1, "unchanged": 0}
PAGE = {"jobs": [], "next_cursor": "17"}


def control_of(server, cwd="/some where/ü"):
    return RemoteControl(SocketEndpoint(server.path), Path(cwd))


def test_a_read_is_asked_once_with_its_request_and_the_place_of_the_asker(tmp_path):
    with scripted_server(tmp_path / "s", says(200, PAGE)) as server:
        reply = control_of(server).ask("jobs.list", ListJobs(limit=3))
    assert reply == JobList(jobs=[], next_cursor="17")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/jobs/list")
    assert msgspec.json.decode(asked.body)["limit"] == 3
    assert asked.headers["casparian-cwd"] == "/some%20where/%C3%BC"
    assert "idempotency-key" not in asked.headers


@pytest.mark.parametrize("kind", list(every_error()), ids=lambda kind: kind.code)
def test_every_error_of_the_product_comes_back_as_itself(tmp_path, kind):
    said = problem(409, kind.code, where="there", why="so", fix="do", retryable=kind.transient)
    with scripted_server(tmp_path / "s", said) as server, pytest.raises(CasparianError) as caught:
        control_of(server).ask("jobs.list", ListJobs())
    error = caught.value
    assert (error.code, error.exit_code, error.transient) == (kind.code, kind.exit_code, kind.transient)
    assert (error.message, error.where, error.why, error.fix) == ("it went wrong", "there", "so", "do")


def test_an_error_of_a_newer_sentinel_keeps_its_code(tmp_path):
    said = problem(418, "teapot", retryable=True)
    with scripted_server(tmp_path / "s", said) as server, pytest.raises(CasparianError) as caught:
        control_of(server).ask("jobs.list", ListJobs())
    assert (caught.value.code, caught.value.transient, caught.value.exit_code) == ("teapot", True, 1)


@pytest.mark.parametrize("body", [b"<html>", b'{"x":1}', b"\xff", b""], ids=repr)
def test_what_is_no_sentinel_is_named_so(tmp_path, body):
    with (
        scripted_server(tmp_path / "s", says(502, body, "text/html")) as server,
        pytest.raises(ConnectionLost, match="no sentinel"),
    ):
        control_of(server).ask("jobs.list", ListJobs())


def test_a_reply_that_does_not_fit_is_not_shown(tmp_path):
    with (
        scripted_server(tmp_path / "s", says(200, {"jobs": 3})) as server,
        pytest.raises(ConnectionLost, match="not one that this version understands"),
    ):
        control_of(server).ask("jobs.list", ListJobs())


def test_progress_arrives_before_the_reply(tmp_path):
    seen = []
    told = streams(("job.completed", {"job": "1"}), ("scan.finished", {"files": 2}), ("reply", CHANGED))
    with scripted_server(tmp_path / "s", told) as server:
        control_of(server).ask("tags.add", CHANGE, lambda event, values: seen.append((event, values)))
    assert seen == [("job.completed", {"job": "1"}), ("scan.finished", {"files": 2})]
    assert server.asked[0].headers["accept"] == "text/event-stream"


def test_a_problem_at_the_end_of_a_stream_is_the_error(tmp_path):
    told = streams(("problem", {"code": "home-busy", "detail": "held"}))
    with scripted_server(tmp_path / "s", told) as server, pytest.raises(HomeBusy, match="held"):
        control_of(server).ask("tags.add", CHANGE)


def test_a_change_whose_answer_was_lost_is_asked_for_again_under_the_same_key(tmp_path):
    told = streams(("reply", CHANGED))
    broken = streams(("job.completed", {"job": "1"}))
    with scripted_server(tmp_path / "s", broken, problem(409, "key-in-use"), told) as server:
        control_of(server).ask("tags.add", CHANGE)
    keys = {asked.headers["idempotency-key"] for asked in server.asked}
    assert (len(server.asked), len(keys)) == (3, 1)


def test_a_change_that_the_sentinel_broke_off_is_told(tmp_path):
    ended = problem(409, "key-in-use", why="the service ended while it was being done")
    with scripted_server(tmp_path / "s", hangs_up, ended) as server, pytest.raises(CasparianError) as caught:
        control_of(server).ask("tags.add", CHANGE)
    assert caught.value.why == "the service ended while it was being done"


def test_a_connection_that_breaks_twice_is_lost(tmp_path):
    with scripted_server(tmp_path / "s", hangs_up, hangs_up) as server, pytest.raises(ConnectionLost) as caught:
        control_of(server).ask("tags.add", CHANGE)
    assert "whether it was done is not known" in caught.value.why
    assert (caught.value.exit_code, len(server.asked)) == (6, 2)


def test_a_sentinel_that_died_over_a_question_is_lost_and_not_missing(tmp_path):
    path = tmp_path / "s"

    def dies(_connection):
        path.unlink()

    with scripted_server(path, dies) as server, pytest.raises(ConnectionLost) as caught:
        control_of(server).ask("jobs.list", ListJobs())
    assert "nothing was shown" in caught.value.why


def test_nobody_at_the_socket_is_a_missing_sentinel(tmp_path):
    with pytest.raises(SentinelMissing) as caught:
        RemoteControl(SocketEndpoint(tmp_path / "none"), tmp_path).ask("jobs.list", ListJobs())
    assert caught.value.fix == "casparian start"


def test_a_silent_sentinel_is_not_asked_again(tmp_path):
    held = []
    with scripted_server(tmp_path / "s", lambda connection: held.append(connection.dup())) as server:
        control = RemoteControl(SocketEndpoint(server.path), tmp_path, seconds=0.1)
        with pytest.raises(ConnectionLost, match="silent"):
            control.ask("jobs.list", ListJobs())
        for connection in held:
            connection.close()
    assert len(server.asked) == 1


def test_what_is_only_tried_says_so_and_needs_no_key(tmp_path):
    with (
        scripted_server(tmp_path / "s", problem(404, "not-found")) as server,
        pytest.raises(NotFound),
    ):
        control_of(server).attempt("tags.add", CHANGE)
    (asked,) = server.asked
    assert asked.path == "/v1/tags/add?dry_run=true"
    assert "idempotency-key" not in asked.headers


def test_an_error_of_whoever_watches_is_not_taken_for_a_lost_connection(tmp_path):
    def watcher_left(_event, _values):
        raise BrokenPipeError

    told = streams(("job.completed", {"job": "1"}), ("reply", CHANGED))
    with scripted_server(tmp_path / "s", told) as server, pytest.raises(BrokenPipeError):
        control_of(server).ask("tags.add", CHANGE, watcher_left)
    assert len(server.asked) == 1


def test_a_socket_says_which_process_listens_there(tmp_path):
    with scripted_server(tmp_path / "s", hangs_up) as server:
        assert SocketEndpoint(server.path).peer() == os.getpid()
    assert SocketEndpoint(tmp_path / "none").peer() is None


@pytest.mark.parametrize(
    "url", ["http://host", "https://", "host:1", "https://host/path", "https://host:x", "https://u:p@host", "ftp://h"]
)
def test_only_an_https_address_is_one_of_a_sentinel(url):
    with pytest.raises(UsageError, match="no address"):
        endpoint_at(url, {"CASPARIAN_TOKEN": "t"})


def test_another_machine_asks_for_a_token():
    with pytest.raises(UsageError, match="token"):
        endpoint_at("https://host:8443", {})
    endpoint = endpoint_at("https://[::1]:8443", {"CASPARIAN_TOKEN": "t"})
    assert (endpoint.host, endpoint.port, dict(endpoint.headers)) == ("::1", 8443, {"Authorization": "Bearer t"})
