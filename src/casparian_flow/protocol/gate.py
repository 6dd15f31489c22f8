"""The gate of the TCP endpoints: says to ZeroMQ which public keys may connect, and knows the worker of each."""

from __future__ import annotations

import time
from typing import Protocol

import zmq
from zmq.utils import z85

_VERSION = b"1.0"
_FRESH_SECONDS = 1.0


class Register(Protocol):
    """Who may come in. Asked by the thread that receives; public keys are Z85 text."""

    def worker_of(self, public_key: str) -> str | None:
        """The worker whose key this is, unless it was revoked."""
        ...

    def is_invited(self, public_key: str) -> bool:
        """Whether this is the key of an invitation that can still be used."""
        ...

    def join(self, invitation: str, public_key: str) -> str | None:
        """Uses the invitation up and binds the key to its worker; its name, or None if it cannot be used any more.

        Asked again with the same two keys it says the same.
        """
        ...


class Gate:
    """Answers ZeroMQ's questions (ZAP, RFC 27) in the thread that polls `socket`; one for each context."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], register: Register) -> None:
        self._register = register
        self._known: dict[str, tuple[str, float]] = {}
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        """Answers every handshake that waits. Raises what the register raises; that peer tries again."""
        while self.socket.poll(0):
            version, request, _domain, _address, _identity, mechanism, *credentials = self.socket.recv_multipart()
            key = z85.encode(credentials[0]).decode() if mechanism == b"CURVE" and version == _VERSION else ""
            try:
                is_admitted = bool(key) and (self._register.worker_of(key) or self._register.is_invited(key))
            except BaseException:
                self.socket.send_multipart([_VERSION, request, b"300", b"try again", b"", b""])
                raise
            if is_admitted:
                self.socket.send_multipart([_VERSION, request, b"200", b"OK", key.encode(), b""])
            else:
                self.socket.send_multipart([_VERSION, request, b"400", b"not admitted", b"", b""])

    def worker_of(self, public_key: str) -> str | None:
        """The worker of a key that was admitted once. A revoked one is noticed within a second."""
        name, until = self._known.get(public_key, ("", 0.0))
        now = time.monotonic()
        if now < until:
            return name
        self._known.pop(public_key, None)
        if current := self._register.worker_of(public_key):
            self._known[public_key] = (current, now + _FRESH_SECONDS)
        return current

    def join(self, invitation: str, public_key: str) -> str | None:
        """Uses an invitation up."""
        return self._register.join(invitation, public_key)

    def close(self) -> None:
        """Nobody is admitted any more."""
        self.socket.close()
