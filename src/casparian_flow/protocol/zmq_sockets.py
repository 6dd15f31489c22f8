"""What the ZeroMQ sockets of both ends have in common: their liveness and their bounds."""

from __future__ import annotations

import msgspec
import zmq

from casparian_flow.protocol.keys import Z85, KeyPair
from casparian_flow.protocol.opcodes import HEADER, LARGEST_PAYLOAD

PING_MS = 1000
SILENCE_MS = 3000
"""A connection that says nothing for so long is given up: else what was sent into it would arrive when it heals."""
HANDSHAKE_MS = 5000
LARGEST_FRAME = HEADER.size + LARGEST_PAYLOAD + 1024
"""In bytes; encryption adds a few to a message."""
WAITING_TO_SEND = 1000
WAITING_TO_BE_READ = 16
"""Messages of one peer that ZeroMQ holds; further ones wait at the peer. Bounds the memory that one peer can fill."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker proves itself over TCP: its own keys, and the sentinel's public one, which it trusts alone."""

    own: KeyPair
    server: Z85


def tune(socket: zmq.Socket[bytes]) -> None:
    """The options of both ends. A message larger than one may be ends its connection before it is read."""
    socket.set(zmq.HEARTBEAT_IVL, PING_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
    socket.set(zmq.HEARTBEAT_TTL, SILENCE_MS)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.set(zmq.MAXMSGSIZE, LARGEST_FRAME)
    socket.set(zmq.SNDHWM, WAITING_TO_SEND)
    socket.set(zmq.RCVHWM, WAITING_TO_BE_READ)
