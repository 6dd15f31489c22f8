"""The frames between a guest and its host: their layout, and the guest's end of them.

The host sends one ORDER. The guest answers HELLO, then one section per job, then BYE. The host answers each closed
section with the byte GO, and only then the next one begins, so that what is printed belongs to one job:

    BEGIN(job)  { SCHEMA | BATCH | REJECTED | VERDICT }  END(job, counts) or FAILED(job, ...)

A frame is a 16-byte header (kind, length of the head, length of the body), a head in JSON and a body of bytes. A
SCHEMA's body is an Arrow IPC schema message; schemas are numbered from 0 within their section, in order. A BATCH's
body is an Arrow IPC record batch message followed by those of its places (`source_row`, `start`, `end`) that its
head says are there, each `rows` little-endian int64. A socket that closes without END is a failure.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

PROTOCOL: Final = 1
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

_GATHER = 1 << 16


class Kind(IntEnum):
    """What a frame says."""

    ORDER = 1
    HELLO = 2
    BEGIN = 3
    SCHEMA = 4
    BATCH = 5
    REJECTED = 6
    VERDICT = 7
    END = 8
    FAILED = 9
    BYE = 10


def frame(kind: Kind, head: Mapping[str, Any], body_length: int = 0) -> bytes:
    """A frame up to its body."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return HEADER.pack(kind, len(text), body_length) + text


class Wire:
    """The guest's end of the socket. Small frames are gathered; `flush` sends them."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._gathered = bytearray()

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
        """Send one frame; `body` are buffers that follow one another."""
        parts = [memoryview(part).cast("B") for part in body]
        length = sum(map(len, parts))
        self._gathered += frame(kind, head, length)
        if length > _GATHER:
            self._write([memoryview(bytes(self._gathered)), *parts])
            self._gathered.clear()
            return
        for part in parts:
            self._gathered += part
        if len(self._gathered) > _GATHER:
            self.flush()

    def flush(self) -> None:
        """Send what was gathered."""
        if self._gathered:
            self._write([memoryview(bytes(self._gathered))])
            self._gathered.clear()

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

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            piece = os.read(self._fd, length - len(data))
            if not piece:
                raise EOFError("the host left before it gave an order")
            data += piece
        return bytes(data)
