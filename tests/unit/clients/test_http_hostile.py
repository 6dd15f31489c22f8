"""Clients that lie, stall, break off or send what is no HTTP: answered or dropped, and nobody else notices."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from api_service import Api, running_api
from casparian_flow.clients.http import connection

HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(autouse=True)
def everybody_else_is_still_served(api: Api) -> Iterator[None]:
    yield
    assert api.get("/health/live").status == 200
    assert api.get("/v1/rules/list").json["rules"] == []


def status_of(answer: bytes) -> int:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    if b"transfer-encoding: chunked" in head.lower():
        body = body.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    problem = json.loads(body)
    assert b"Traceback" not in body
    assert head.split()[1] == str(problem["status"]).encode()
    return int(problem["status"])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.0\r\n\r\n", 403),
        (b"GET /v1/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n folded: x\r\nConnection: close\r\n\r\n", 403),
        (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 431),
        (b"BREW /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"OPTIONS /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"TRACE /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"GET /v1/../v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v1/status/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET http://evil/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v1/status?%ff=%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
        (b"POST /v1/rules/add HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (
            b"POST /v1/rules/add HTTP/1.1\r\n"
            + HEAD
            + b"Transfer-Encoding: chunked, identity\r\nConnection: close\r\n\r\n0\r\n\r\n",
            501,
        ),
        (b"POST /v1/rules/add HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999\r\nConnection: close\r\n\r\n{}", 413),
        (
            b"POST /v1/rules/add HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 2\r\n"
            b"Connection: close\r\n\r\n{}",
            415,
        ),
        (
            b"POST /v1/rules/add HTTP/1.1\r\n"
            + HEAD
            + b"Content-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
            415,
        ),
        (
            b"POST /v1/rules/add HTTP/1.1\r\n"
            + HEAD
            + b"Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
            400,
        ),
    ],
)
def test_what_is_no_good_request_gets_a_problem(api: Api, sent: bytes, status: int) -> None:
    assert status_of(api.raw(sent)) == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b'{"pattern": "\xff", "tag": "t"}', 400),
        (b'{"pattern": "\\ud800", "tag": "t"}', 400),
        (b"[" * 100_000, 422),
        (b'{"a":' * 50_000, 422),
        (b'{"pattern": "*\\u0000", "tag": "t"}', 422),
        (b'{"pattern": "*", "tag": "t", "priority": 1e400}', 422),
        (b'{"pattern": "*", "tag": "t", "priority": 99999999999999999999999}', 422),
        (b'{"pattern": "*", "tag": "t", "priority": 9223372036854775808}', 422),
        (b'{"pattern": "*", "tag": "t", "priority": NaN}', 400),
        (b'{"pattern": "*", "tag": "t", "nothing": 1}', 422),
        (b'[{"pattern": "*", "tag": "t"}]', 422),
        (b"null", 422),
        (b'"x"', 422),
        (b"", 422),
        (b'{"pattern": "*", "tag": "t"} {}', 400),
    ],
)
def test_a_body_that_does_not_fit_is_refused(api: Api, body: bytes, status: int) -> None:
    given = {"Content-Type": "application/json", "Idempotency-Key": "bad"}
    said = api.ask("POST", "/v1/rules/add", body, headers=given)
    assert (said.status, said.json["code"]) == (status, "request-invalid")


def test_a_body_without_end_is_not_taken_in(api: Api) -> None:
    connection = api.connection()
    given = {"Content-Type": "application/json", "Idempotency-Key": "long"}
    connection.request("POST", "/v1/rules/add", iter([b"x" * 0x40000] * 6), given, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)), api.socket_to() as sock:
        sock.sendall(b"POST /v1/rules/add HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            sock.sendall(b"40000\r\n" + b"x" * 0x40000 + b"\r\n")


def test_a_client_that_leaves_in_the_middle_is_forgotten(api: Api) -> None:
    for sent in (
        b"GET /v1/sta",
        b"POST /v1/rules/add HTTP/1.1\r\n" + HEAD + b"Content-Length: 100\r\n\r\n{",
        b"POST /v1/rules/add HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
    ):
        for _ in range(5):
            with api.socket_to() as sock:
                sock.sendall(sent)
            with api.socket_to(tcp=True) as sock:
                sock.sendall(sent)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_requests_in_a_row_on_one_connection_are_answered_in_order(api: Api) -> None:
    asked = b"".join(
        b"GET /v1/jobs/show?job=%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (job, b"Connection: close\r\n" * (job == 9))
        for job in range(1, 10)
    )
    found = api.raw(asked)
    places = [found.index(b"there is no job %d" % job) for job in range(1, 10)]
    assert places == sorted(places)


def test_a_head_that_trickles_in_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    for begun in (b"", b"GET /v1/status HT", b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: "):
        assert status_of(api.raw(begun)) == 408


def test_a_body_that_trickles_in_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    monkeypatch.setattr("casparian_flow.clients.http.asking.BODY_SECONDS", 0.2)
    sent = b"POST /v1/rules/add HTTP/1.1\r\n" + HEAD + b"Connection: close\r\nContent-Length: 100\r\n\r\n{"
    assert status_of(api.raw(sent)) == 408


def test_more_clients_than_may_be_are_told_so(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 2)
    with api.socket_to() as first, api.socket_to() as second:
        for sock in (first, second):
            sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
        assert status_of(api.raw(b"GET ")) == 503


def test_another_user_is_not_let_in(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    monkeypatch.setattr(connection, "_peer", lambda _transport: 65534)
    assert status_of(api.raw(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")) == 403


def test_where_nothing_is_served_says_so_in_the_same_form(api: Api) -> None:
    for path in ("/", "/v1", "/v1/", "/v1/jobs", "/favicon.ico", "/v1/config/show", "/v1/jobs%2fshow%00"):
        assert (api.get(path).status, api.get(path).json["code"]) == (404, "request-invalid"), path
    said = api.get("/v1/rules/add")
    assert (said.status, said.headers["Allow"]) == (405, "POST")
