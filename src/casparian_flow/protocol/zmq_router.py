"""The sentinel's end over ZeroMQ: Unix sockets for workers of this machine, TCP with CURVE keys for all others."""

from __future__ import annotations

import contextlib
import math
import socket
import stat
import tempfile
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import zmq

from casparian_flow.core.errors import HomeBusy, UsageError
from casparian_flow.protocol.bell import Bell
from casparian_flow.protocol.doorway import answer_invited
from casparian_flow.protocol.endpoints import is_tcp, socket_path
from casparian_flow.protocol.gate import Gate, Register
from casparian_flow.protocol.keys import KeyPair
from casparian_flow.protocol.zmq_sockets import tune

_REMEMBERED = 10_000
_CONNECT_SECONDS = 1.0


class ZmqRouter:
    """Binds every endpoint when it is made. One thread uses it; any thread may call `wake`.

    A peer is believed over a Unix socket, since only the same user reaches it. Over TCP a key tells who it is.
    """

    def __init__(
        self, endpoints: Sequence[str], *, keys: KeyPair | None = None, register: Register | None = None
    ) -> None:
        """Raises UsageError for an address that cannot be listened at, or a TCP one without keys; HomeBusy if taken."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._bell = Bell()
        self._peers: OrderedDict[bytes, tuple[str, str] | None] = OrderedDict()
        self._files: list[Path] = []
        self._socket = self._context.socket(zmq.ROUTER)
        self._gate = Gate(self._context, register) if register is not None else None
        try:
            tune(self._socket)
            self._socket.linger = 0
            self._socket.set(zmq.ROUTER_MANDATORY, 1)
            self._socket.set(zmq.ROUTER_HANDOVER, 1)
            self.endpoints = self._bind(endpoints, keys)
        except BaseException:
            self.close()
            raise
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._bell, zmq.POLLIN)
        if self._gate is not None:
            self._poller.register(self._gate.socket, zmq.POLLIN)

    def receive(self, timeout: float) -> tuple[bytes, bytes] | None:
        """The next message and its sender, or None. Handshakes are answered meanwhile, and only then."""
        until = time.monotonic() + timeout
        while True:
            left = max(until - time.monotonic(), 0.0)
            ready = dict(self._poller.poll(math.ceil(left * 1000)))
            if self._gate is not None and self._gate.socket in ready:
                self._gate.answer()
            if self._bell.fileno() in ready:
                self._bell.hear()
                return None
            if self._socket in ready and (message := self._next()) is not None:
                return message
            if not left:
                return None

    def send(self, peer: bytes, data: bytes) -> bool:
        """False if nobody is connected under that identity, or nobody who is still admitted."""
        proven = self._peers.get(peer)
        if proven is not None and self._worker_of(proven[0]) is None:
            return False
        try:
            self._socket.send_multipart([peer, data], zmq.DONTWAIT)
        except zmq.Again:  # it does not read: lost as on any bad line
            return True
        except zmq.ZMQError as exc:
            if exc.errno != zmq.EHOSTUNREACH:
                raise
            self._peers.pop(peer, None)
            return False
        return True

    def name_of(self, peer: bytes) -> str | None:
        """The worker whose key a peer on TCP has, None for one of this machine; KeyError if it was never heard of."""
        proven = self._peers[peer]
        return proven[1] if proven is not None else None

    def wake(self) -> None:
        """Ends the `receive` that waits, or else the next one."""
        self._bell.ring()

    def close(self) -> None:
        """Gives every connection up and takes the Unix sockets away."""
        self._socket.close()
        if self._gate is not None:
            self._gate.close()
        self._context.term()
        self._bell.close()
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files.clear()

    def _next(self) -> tuple[bytes, bytes] | None:
        peer, *frames = self._socket.recv_multipart(copy=False)
        key = _key_of(frames[-1]) if frames else None
        sender = peer.bytes
        data = frames[0].bytes if len(frames) == 1 else b""  # no message has several frames; no bytes are none either
        if key is None:
            self._remember(sender, None)
        elif (name := self._worker_of(key)) is not None:
            self._remember(sender, (key, name))
        else:
            self._turn_away(sender, key, data)
            return None
        return sender, data

    def _remember(self, peer: bytes, proven: tuple[str, str] | None) -> None:
        self._peers[peer] = proven
        self._peers.move_to_end(peer)
        if len(self._peers) > _REMEMBERED:
            self._peers.popitem(last=False)

    def _worker_of(self, key: str) -> str | None:
        assert self._gate is not None
        return self._gate.worker_of(key)

    def _turn_away(self, peer: bytes, key: str, data: bytes) -> None:
        assert self._gate is not None
        gate = self._gate
        answer = answer_invited(data, lambda public: gate.join(key, public))
        with contextlib.suppress(zmq.Again, zmq.ZMQError):  # it went, or does not read
            self._socket.send_multipart([peer, answer], zmq.DONTWAIT)

    def _bind(self, endpoints: Sequence[str], keys: KeyPair | None) -> list[str]:
        """Unix sockets first: what CURVE options a socket has when it binds hold for that endpoint alone."""
        bound = []
        for endpoint in sorted(endpoints, key=is_tcp):
            if not is_tcp(endpoint):
                self._bind_file(socket_path(endpoint))
                bound.append(endpoint)
                continue
            if keys is None or self._gate is None:
                raise UsageError(f"{endpoint} needs keys", why="workers on TCP are never spoken to unencrypted")
            self._socket.curve_server = True
            self._socket.curve_secretkey = keys.secret.encode()
            self._socket.zap_domain = b"workers"
            try:
                self._socket.bind(endpoint)
            except zmq.ZMQError as exc:
                raise UsageError(f"cannot listen at {endpoint}", why=str(exc)) from exc
            bound.append(self._socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0"))
        return bound

    def _bind_file(self, path: Path) -> None:
        """Takes a stale socket's place. It is born in a private folder: at no moment can another user connect."""
        _check_unused(path)
        try:
            with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as private:
                born = Path(private) / "s"
                self._socket.bind(f"ipc://{born}")
                born.chmod(0o600)
                born.replace(path)
        except (OSError, zmq.ZMQError) as exc:
            raise UsageError(f"cannot listen at {path}", why=str(exc)) from exc
        self._files.append(path)


def _key_of(frame: zmq.Frame) -> str | None:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:  # it came through a Unix socket
        return None


def _check_unused(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError("the address of a socket is taken by a file", where=str(path))
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:  # whoever listened is gone
            return
        except OSError as exc:
            raise UsageError(f"cannot listen at {path}", why=str(exc)) from exc
    raise HomeBusy("another process listens there already", where=str(path))
