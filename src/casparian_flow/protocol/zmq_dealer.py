"""A worker's end over ZeroMQ; a sentinel that refuses the connection is an error here, not silence."""

from __future__ import annotations

import math
import secrets
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

from casparian_flow.core.errors import UsageError, WorkerRefused
from casparian_flow.protocol.bell import Bell
from casparian_flow.protocol.doorway import is_refusal
from casparian_flow.protocol.endpoints import is_tcp
from casparian_flow.protocol.zmq_sockets import SILENCE_MS, Curve, tune

_LINGER_MS = 500
_LONGEST_NAME = 200
"""In bytes; an identity has at most 255."""
_RECONNECT_MS = 100
_RECONNECT_MOST_MS = 5000
_UNEXPLAINED = 5
"""Handshakes that may break off without a reason before what listens there is not believed to be the sentinel."""
_WATCHED = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)
INVITE = "casparian worker invite"


class ZmqDealer:
    """Connects when it is made, and again, after pauses of random length, whenever the connection is lost.

    While there is none, only the newest message is kept: what is sent late must not be stale.
    """

    def __init__(self, endpoint: str, name: str, *, curve: Curve | None = None) -> None:
        """`name` is for people who watch the wire. Raises UsageError for TCP without keys, or a wrong address."""
        if is_tcp(endpoint) and curve is None:
            raise UsageError(f"{endpoint} needs keys", why="nothing is sent unencrypted over TCP", fix=INVITE)
        self.endpoint = endpoint
        self.is_connected = False
        self._curve = curve if is_tcp(endpoint) else None
        self._was_admitted = False
        self._unexplained = 0
        self._unsent: bytes | None = None
        self._bell = Bell()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._monitor = self._socket.get_monitor_socket(_WATCHED)
        try:
            self._connect(name)
        except zmq.ZMQError as exc:
            self.close()
            raise UsageError(f"cannot connect to {endpoint}", why=str(exc)) from exc
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._poller.register(self._bell, zmq.POLLIN)

    def receive(self, timeout: float) -> bytes | None:
        """The sentinel's next message, or None; raises WorkerRefused if it does not let this worker in."""
        until = time.monotonic() + timeout
        while True:
            left = max(until - time.monotonic(), 0.0)
            ready = dict(self._poller.poll(math.ceil(left * 1000)))
            if self._monitor in ready:
                self._heed()
            if self._unsent is not None and (self._monitor in ready or ready.get(self._socket, 0) & zmq.POLLOUT):
                self.send(self._unsent)
            if self._bell.fileno() in ready:
                self._bell.hear()
                return None
            if ready.get(self._socket, 0) & zmq.POLLIN and (data := self._next()) is not None:
                return data
            if not left:
                return None

    def send(self, data: bytes) -> None:
        """Sends without waiting."""
        try:
            self._socket.send(data, zmq.DONTWAIT)
        except zmq.Again:
            self._keep(data)
        else:
            self._keep(None)

    def wake(self) -> None:
        """Ends the `receive` that waits, or else the next one."""
        self._bell.ring()

    def close(self) -> None:
        """Gives the connection up; what was sent has half a second to leave."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=_LINGER_MS)
        self._context.term()
        self._bell.close()

    def _connect(self, name: str) -> None:
        tune(self._socket)
        self._socket.linger = _LINGER_MS
        self._socket.set(zmq.IMMEDIATE, 1)
        self._socket.set(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self._socket.set(zmq.RECONNECT_IVL_MAX, _RECONNECT_MOST_MS)
        self._socket.set(zmq.CONNECT_TIMEOUT, SILENCE_MS)
        # Its second half is a secret between this end and the sentinel: a message to a peer goes to whoever has its
        # identity, so another worker must not be able to guess it.
        self._socket.routing_id = name.encode()[:_LONGEST_NAME] + f"/{secrets.token_hex(16)}".encode()
        if self._curve is not None:
            self._socket.curve_publickey = self._curve.own.public.encode()
            self._socket.curve_secretkey = self._curve.own.secret.encode()
            self._socket.curve_serverkey = self._curve.server.encode()
        self._socket.connect(self.endpoint)

    def _keep(self, unsent: bytes | None) -> None:
        if (unsent is None) != (self._unsent is None):
            self._poller.modify(self._socket, zmq.POLLIN if unsent is None else zmq.POLLIN | zmq.POLLOUT)
        self._unsent = unsent

    def _next(self) -> bytes | None:
        frames = self._socket.recv_multipart()
        data = frames[0] if len(frames) == 1 else b""
        if self._curve is not None and is_refusal(data):
            raise self._refused("the sentinel does not admit this worker", "its key is unknown or was revoked")
        return data

    def _heed(self) -> None:
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.is_connected = self._was_admitted = True
            elif event == zmq.EVENT_DISCONNECTED:
                self.is_connected = False
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise self._refused("the sentinel does not admit this worker", "its key is unknown or was revoked")
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                raise self._refused("what listens there does not speak as a sentinel does", "one side is not encrypted")
            else:
                self._unexplained += 1
                if not self._was_admitted and self._unexplained >= _UNEXPLAINED:
                    raise self._refused(
                        "what listens there is not the sentinel that this worker trusts", "it does not have its key"
                    )

    def _refused(self, message: str, why: str) -> WorkerRefused:
        return WorkerRefused(message, where=self.endpoint, why=why)
