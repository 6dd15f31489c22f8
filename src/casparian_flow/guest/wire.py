"""The frames between a guest and its host: their layout, and the guest's end of them.

The host sends one ORDER; a job of it that has `spans` is to read these records alone. The guest answers HELLO, then
one section per job, then BYE. The host answers each closed section with the byte GO, and only then the next one begins,
so that what is printed belongs to one job:

    BEGIN(job)  { SCHEMA | BATCH | REJECTED | VERDICTS }  END(job, counts) or FAILED(job, ...)

A frame is a 16-byte header (kind, length of the head, length of the body), a head in JSON and a body of bytes. A
SCHEMA's body is an Arrow IPC schema message; schemas are numbered from 0 within their section, in order. A BATCH's
body is an Arrow IPC record batch message followed by those of its places (`source_row`, `start`, `end`) that its
head says are there, each `rows` little-endian int64. An empty VERDICTS only says that the parser has begun to give
something. A socket that closes without END is a failure.
"""

from __future__ import annotations

import json
import os
import struct
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

PROTOCOL: Final = 3
HEADER: Final = struct.Struct("<BxxxIQ")
MAX_HEAD: Final = 1 << 20
"""Most bytes of a head, and of a schema."""
MAX_RAW: Final = 1 << 20
"""Most bytes of a rejected record that are kept."""
MAX_ROWS: Final = 65_536
"""Most rows of one batch."""
MAX_SCHEMAS: Final = 4_096
"""Most schemas that one section may declare."""
MAX_OUTPUTS: Final = 4_096
"""Most outputs that one section may have."""
MAX_COLUMNS: Final = 4_096
MAX_OUTPUT_NAME: Final = 200
PLACES: Final = ("source_row", "start", "end")

HOST_GONE: Final = 3
"""Exit code of a guest whose host went away."""
GO: Final = b"\x01"

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_GATHER = 1 << 16
_AHEAD = 2 << 20
"""Bytes that may wait for the host while the parser goes on; one frame more than this is held at most."""


class Kind(IntEnum):
    """What a frame says."""

    ORDER = 1
    HELLO = 2
    BEGIN = 3
    SCHEMA = 4
    BATCH = 5
    REJECTED = 6
    VERDICTS = 7
    END = 8
    FAILED = 9
    BYE = 10


def frame(kind: Kind, head: Mapping[str, Any], body_length: int = 0) -> bytes:
    """A frame up to its body."""
    text = _ENCODE(head).encode()
    return HEADER.pack(kind, len(text), body_length) + text


class Wire:
    """The guest's end of the socket. Small frames are gathered; `flush` sends them.

    Frames leave through a thread, so that parsing goes on while the host is busy with what was sent before.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._gathered = bytearray()
        self._sender = _Sender(fd)
        self._has_signed = False

    def receive_order(self) -> Any:
        """The order, which is the only frame that the host sends."""
        kind, head, _ = HEADER.unpack(self._read(HEADER.size))
        if kind != Kind.ORDER:
            raise ValueError(f"expected an order, got frame kind {kind}")
        return json.loads(self._read(head))

    def await_go(self) -> None:
        """Wait until the host has taken note of a closed section."""
        if not os.read(self._fd, 1):
            os._exit(HOST_GONE)

    def send(self, kind: Kind, head: Mapping[str, Any], body: Sequence[Any] = ()) -> None:
        """Send one frame; `body` are buffers that follow one another and never change again."""
        parts = [memoryview(part).cast("B") for part in body]
        length = sum(map(len, parts))
        self._gathered += frame(kind, head, length)
        if length > _GATHER:
            self._sender.put([memoryview(bytes(self._gathered)), *parts])
            self._gathered.clear()
            return
        for part in parts:
            self._gathered += part
        if len(self._gathered) > _GATHER:
            self.flush()

    def sign(self) -> None:
        """Once: let the host hear now that the parser gives something.

        Rows gather first, and the thread that sends them needs the interpreter's lock, which the parser may hold for
        long: a copied process of which nothing is heard is taken for one that did not survive being copied.
        """
        if not self._has_signed:
            self._has_signed = True
            self.send(Kind.VERDICTS, {"verdicts": []})
            self.flush()

    def flush(self) -> None:
        """Send what was gathered."""
        if self._gathered:
            self._sender.put([memoryview(bytes(self._gathered))])
            self._gathered.clear()

    def drain(self) -> None:
        """Send what was gathered, and return when everything is sent."""
        self.flush()
        self._sender.drain()

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            piece = os.read(self._fd, length - len(data))
            if not piece:
                raise EOFError("the host left before it gave an order")
            data += piece
        return bytes(data)


class _Sender:
    """Writes to the socket in order: little at once, much from a thread of its own."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._waiting: deque[list[memoryview]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, parts: list[memoryview]) -> None:
        """Have these bytes sent; waits while too much is on its way."""
        size = sum(map(len, parts))
        with self._changed:
            if not self._bytes and size <= 2 * _GATHER:
                self._write(parts)
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._changed.wait_for(lambda: self._bytes <= _AHEAD)
            self._waiting.append(parts)
            self._bytes += size
            self._changed.notify_all()

    def drain(self) -> None:
        """Return when everything is sent."""
        with self._changed:
            self._changed.wait_for(lambda: not self._bytes)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._bytes))
                parts = self._waiting.popleft()
            size = sum(map(len, parts))
            self._write(parts)
            with self._changed:
                self._bytes -= size
                self._changed.notify_all()

    def _write(self, parts: list[memoryview]) -> None:
        while parts:
            try:
                sent = os.writev(self._fd, parts)
            except OSError:
                os._exit(HOST_GONE)  # nobody listens, and no parser should get to catch that
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if parts:
                parts[0] = parts[0][sent:]
