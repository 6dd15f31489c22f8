"""Real ZeroMQ over Unix sockets and over TCP on the loopback, with real keys."""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import pytest
import zmq

from casparian_flow.core.errors import HomeBusy, UsageError, WorkerRefused
from casparian_flow.protocol import gate, zmq_sockets
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


def test_a_name_of_any_length_is_a_workers_name(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with closing(ZmqRouter([endpoint])) as router, closing(ZmqDealer(endpoint, "ö" * 500)) as dealer:
        exchange(router, dealer)


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
            assert router.receive(0.02) is None
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


def test_a_revoked_key_is_shut_out_of_a_connection_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_FRESH_SECONDS", 0.1)
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
            assert router.receive(0.2) is None
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


Raw = Callable[[str, bytes], zmq.Socket[bytes]]


@pytest.fixture
def raw() -> Iterator[Raw]:
    """Makes peers that keep none of our rules."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[zmq.Socket[bytes]] = []

    def connect(endpoint: str, identity: bytes) -> zmq.Socket[bytes]:
        dealer = context.socket(zmq.DEALER)
        made.append(dealer)
        dealer.routing_id = identity
        dealer.connect(endpoint)
        return dealer

    yield connect
    for each in made:
        each.close(linger=0)
    context.term()


def test_a_newer_connection_of_the_same_identity_takes_over(tmp_path: Path, raw: Raw) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with closing(ZmqRouter([endpoint])) as router:
        older = raw(endpoint, b"same")
        older.send(b"1")
        assert router.receive(20) == (b"same", b"1")
        newer = raw(endpoint, b"same")
        newer.send(b"2")
        assert router.receive(20) == (b"same", b"2")
        assert router.send(b"same", b"to the newer")
        assert newer.poll(20_000)
        assert newer.recv() == b"to the newer"
        assert not older.poll(0)


def test_a_message_that_is_too_large_ends_its_connection_and_nothing_else(
    tmp_path: Path, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmq_sockets, "LARGEST_FRAME", 1000)
    endpoint = f"ipc://{tmp_path}/s"
    with closing(ZmqRouter([endpoint])) as router:
        hostile = raw(endpoint, b"hostile")
        hostile.send(b"small")
        assert router.receive(20) == (b"hostile", b"small")
        monitor = hostile.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        hostile.send(b"x" * 2000)
        assert monitor.poll(20_000)
        hostile.disable_monitor()
        monitor.close()
        with closing(ZmqDealer(endpoint, "w1")) as dealer:
            exchange(router, dealer)


def test_a_message_of_several_frames_is_passed_on_as_no_message(tmp_path: Path, raw: Raw) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with closing(ZmqRouter([endpoint])) as router:
        raw(endpoint, b"odd").send_multipart([b"", b"as a REQ socket does"])
        assert router.receive(20) == (b"odd", b"")


def test_while_there_is_no_sentinel_only_the_newest_message_is_kept(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with closing(ZmqDealer(endpoint, "w1")) as dealer:
        for number in range(50):
            dealer.send(b"%d" % number)
        assert not dealer.is_connected
        with closing(ZmqRouter([endpoint])) as router:
            until = time.monotonic() + 20
            while (message := router.receive(0.02)) is None:
                assert dealer.receive(0.02) is None
                assert time.monotonic() < until
            assert message[1] == b"49"
            assert dealer.is_connected
            assert router.receive(0.05) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:99999",
        "ipc://relative",
        "ipc://@abstract",
        "inproc://x",
        "ipc:///" + "x" * 101,
    ],
)
def test_what_is_no_address_is_refused_at_both_ends(endpoint: str) -> None:
    with pytest.raises(UsageError):
        ZmqRouter([endpoint], keys=SENTINEL, register=Workers())
    with pytest.raises(UsageError):
        ZmqDealer(endpoint, "w1", curve=Curve(own=new_keys(), server=SENTINEL.public))


def test_an_address_in_use_is_refused() -> None:
    with (
        closing(ZmqRouter([ANYWHERE], keys=SENTINEL, register=Workers())) as router,
        pytest.raises(UsageError, match="cannot listen"),
    ):
        ZmqRouter(router.endpoints, keys=SENTINEL, register=Workers())


class Cable:
    """Forwards one connection to a port until it is cut, and then swallows everything without closing anything."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._target = port
        self._ends: list[socket.socket] = []
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.is_cut = False

    def _accept(self) -> None:
        while True:
            try:
                near = self._listening.accept()[0]
            except OSError:
                return
            self._ends.append(near)
            if self.is_cut:
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends.append(far)
            for one, other in ((near, far), (far, near)):
                self._threads.append(Thread(target=self._forward, args=(one, other), daemon=True))
                self._threads[-1].start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                if not self.is_cut:
                    other.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()


@pytest.mark.slow
def test_a_line_that_went_dead_is_noticed_at_both_ends_and_nothing_arrives_late() -> None:
    own = new_keys()
    curve = Curve(own=own, server=SENTINEL.public)
    with (
        closing(ZmqRouter([ANYWHERE], keys=SENTINEL, register=Workers(w1=own))) as router,
        closing(Cable(int(router.endpoints[0].rpartition(":")[2]))) as cable,
        closing(ZmqDealer(f"tcp://127.0.0.1:{cable.port}", "w1", curve=curve)) as dealer,
    ):
        peer = exchange(router, dealer)
        cable.is_cut = True
        until = time.monotonic() + 30
        while router.send(peer, b"stale") or dealer.is_connected:
            assert time.monotonic() < until
            router.receive(0.05)
            assert dealer.receive(0.05) is None
        cable.is_cut = False
        assert exchange(router, dealer) == peer


@pytest.mark.slow
def test_a_register_that_fails_for_a_moment_shuts_nobody_out_for_good() -> None:
    own = new_keys()
    workers = Workers(w1=own)
    failing = [OSError("disk I/O error")]

    def worker_of(public_key: str) -> str | None:
        if failing:
            raise failing.pop()
        return workers.names.get(public_key)

    workers.worker_of = worker_of  # type: ignore[method-assign]
    with closing(ZmqRouter([ANYWHERE], keys=SENTINEL, register=workers)) as router:
        curve = Curve(own=own, server=SENTINEL.public)
        with closing(ZmqDealer(router.endpoints[0], "w1", curve=curve)) as dealer:
            with pytest.raises(OSError, match="disk"):
                router.receive(20)
            exchange(router, dealer)
