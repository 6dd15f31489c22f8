"""Real ZeroMQ over Unix sockets and over TCP on the loopback, with real keys."""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from casparian_flow.core.errors import HomeBusy, UsageError, WorkerRefused
from casparian_flow.protocol.keys import new_keys
from casparian_flow.protocol.zmq_dealer import ZmqDealer
from casparian_flow.protocol.zmq_router import ZmqRouter
from casparian_flow.protocol.zmq_sockets import Curve
from known_workers import ANYWHERE, SENTINEL, Workers


@pytest.fixture
def turning() -> Iterator[Callable[[ZmqRouter], None]]:
    """Lets a router answer handshakes in a thread of its own, and nothing else, until the test is over."""
    going: list[tuple[Thread, ZmqRouter]] = []
    stopped: list[bool] = []

    def turn(router: ZmqRouter) -> None:
        def go() -> None:
            while not stopped:
                router.receive(0.05)
            router.close()

        thread = Thread(target=go)
        thread.start()
        going.append((thread, router))

    yield turn
    stopped.append(True)
    for thread, _ in going:
        thread.join()


def exchange(router: ZmqRouter, dealer: ZmqDealer) -> bytes:
    """One message there and one back; the peer's identity."""
    dealer.send(b"question")
    until = time.monotonic() + 20
    while (message := router.receive(0.02)) is None:
        assert dealer.receive(0.02) is None
        assert time.monotonic() < until
    peer, data = message
    assert data == b"question"
    assert router.send(peer, b"answer")
    assert dealer.receive(20) == b"answer"
    return peer


def test_a_worker_of_this_machine_speaks_through_a_socket_that_only_its_owner_may_open(tmp_path: Path) -> None:
    path = tmp_path / "workers.sock"
    with closing(ZmqRouter([f"ipc://{path}"])) as router, closing(ZmqDealer(f"ipc://{path}", "w1")) as dealer:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        peer = exchange(router, dealer)
        assert router.name_of(peer) is None
        assert peer.startswith(b"w1/")
    assert list(tmp_path.iterdir()) == []


def test_a_worker_on_tcp_is_known_by_its_key_whatever_it_calls_itself() -> None:
    own = new_keys()
    with closing(ZmqRouter([ANYWHERE], keys=SENTINEL, register=Workers(truly=own))) as router:
        curve = Curve(own=own, server=SENTINEL.public)
        with closing(ZmqDealer(router.endpoints[0], "somebody-else", curve=curve)) as dealer:
            assert router.name_of(exchange(router, dealer)) == "truly"


def test_nothing_is_reached_under_an_identity_that_nobody_has(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with closing(ZmqRouter([endpoint])) as router:
        assert not router.send(b"nobody", b"?")
        dealer = ZmqDealer(endpoint, "w1")
        peer = exchange(router, dealer)
        dealer.close()
        until = time.monotonic() + 20
        while router.send(peer, b"?"):
            assert time.monotonic() < until


@pytest.mark.parametrize("end", ["router", "dealer"])
def test_another_thread_ends_the_wait(tmp_path: Path, end: str) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with closing(ZmqRouter([endpoint])) as router, closing(ZmqDealer(endpoint, "w1")) as dealer:
        exchange(router, dealer)
        waiting = router if end == "router" else dealer
        waking = Thread(target=waiting.wake)
        waking.start()
        began = time.monotonic()
        assert waiting.receive(60) is None
        assert time.monotonic() - began < 30
        waking.join()


def test_a_stranger_on_tcp_is_told_that_it_is_not_admitted(turning: Callable[[ZmqRouter], None]) -> None:
    router = ZmqRouter([ANYWHERE], keys=SENTINEL, register=Workers())
    turning(router)
    curve = Curve(own=new_keys(), server=SENTINEL.public)
    with (
        closing(ZmqDealer(router.endpoints[0], "w1", curve=curve)) as dealer,
        pytest.raises(WorkerRefused, match="does not admit"),
    ):
        dealer.receive(20)


def test_a_worker_that_trusts_another_sentinel_is_told_that_this_is_not_the_one(
    turning: Callable[[ZmqRouter], None],
) -> None:
    own = new_keys()
    router = ZmqRouter([ANYWHERE], keys=SENTINEL, register=Workers(w1=own))
    turning(router)
    curve = Curve(own=own, server=new_keys().public)
    with (
        closing(ZmqDealer(router.endpoints[0], "w1", curve=curve)) as dealer,
        pytest.raises(WorkerRefused, match="not the sentinel that this worker trusts"),
    ):
        dealer.receive(20)


def test_tcp_without_keys_is_refused_at_both_ends() -> None:
    with pytest.raises(UsageError, match="needs keys"):
        ZmqRouter([ANYWHERE])
    with pytest.raises(UsageError, match="needs keys"):
        ZmqDealer("tcp://127.0.0.1:1", "w1")


def test_a_revoked_key_is_shut_out_of_a_connection_that_stands() -> None:
    own = new_keys()
    workers = Workers(w1=own)
    with closing(ZmqRouter([ANYWHERE], keys=SENTINEL, register=workers)) as router:
        curve = Curve(own=own, server=SENTINEL.public)
        with closing(ZmqDealer(router.endpoints[0], "w1", curve=curve)) as dealer:
            peer = exchange(router, dealer)
            workers.names.clear()
            until = time.monotonic() + 20
            while router.send(peer, b"secret"):
                assert time.monotonic() < until
                assert dealer.receive(0.05) == b"secret"
            dealer.send(b"let me in")
            assert router.receive(0.5) is None
            with pytest.raises(WorkerRefused, match="does not admit"):
                dealer.receive(20)


def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with closing(ZmqRouter([f"ipc://{path}"])) as router, closing(ZmqDealer(f"ipc://{path}", "w1")) as dealer:
        exchange(router, dealer)
        with pytest.raises(HomeBusy, match="listens there already"):
            ZmqRouter([f"ipc://{path}"])
        exchange(router, dealer)
    path.write_text("not a socket")
    with pytest.raises(UsageError, match="taken by a file"):
        ZmqRouter([f"ipc://{path}"])
    assert path.read_text() == "not a socket"
