"""Takes frames off the socket of a guest: hostile input, so every length is checked before anything is allocated."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pyarrow as pa

from casparian_flow.guest.wire import HEADER, MAX_HEAD, MAX_RAW, Kind

_CHUNK = 1 << 16
_NOTHING = pa.py_buffer(b"")


class BrokenFrame(ValueError):
    """What arrived is no frame, or a frame that is not allowed; the message says why."""


class Closed(Exception):
    """The guest closed its end, after a frame or in the middle of one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; the body is memory of its own that nobody writes to any more."""

    kind: Kind
    head: bytes
    body: pa.Buffer


class FrameReader:
    """Reads frames from a non-blocking socket. At most one frame and one chunk are held."""

    def __init__(self, line: socket.socket, frame_bytes: int) -> None:
        self._line = line
        self._most: dict[Kind, int] = dict.fromkeys(set(Kind) - {Kind.ORDER}, 0)
        self._most |= {Kind.SCHEMA: MAX_HEAD, Kind.BATCH: frame_bytes, Kind.REJECTED: MAX_RAW}
        self._small = bytearray()
        self._header: tuple[Kind, int, int] | None = None
        self._head = b""
        self._body: pa.Buffer | None = None
        self._filled = 0

    def read(self) -> Frame | None:
        """The next frame, None if it has not arrived in full; raises BrokenFrame, or Closed at the end."""
        while True:
            if self._header is None and len(self._small) >= HEADER.size:
                self._header = self._check(*HEADER.unpack_from(self._small))
            if self._header is not None and self._body is None and len(self._small) >= HEADER.size + self._header[1]:
                self._start_body(self._header)
            if self._body is not None and self._filled == self._body.size:
                return self._finish()
            if not self._receive():
                return None

    def _check(self, number: int, head: int, body: int) -> tuple[Kind, int, int]:
        try:
            kind = Kind(number)
            most = self._most[kind]
        except (ValueError, KeyError) as exc:
            raise BrokenFrame(f"unknown frame kind {number}") from exc
        if head > MAX_HEAD:
            raise BrokenFrame(f"a head of {head} bytes; {MAX_HEAD} is the most")
        if body > most:
            raise BrokenFrame(f"a body of {body} bytes in {kind.name}; {most} is the most")
        return kind, head, body

    def _start_body(self, header: tuple[Kind, int, int]) -> None:
        _, head, body = header
        self._head = bytes(self._small[HEADER.size : HEADER.size + head])
        del self._small[: HEADER.size + head]
        self._filled = min(body, len(self._small))
        if not body:
            self._body = _NOTHING
            return
        self._body = pa.allocate_buffer(body)
        memoryview(self._body).cast("B")[: self._filled] = self._small[: self._filled]
        del self._small[: self._filled]

    def _finish(self) -> Frame:
        assert self._header is not None
        assert self._body is not None
        done = Frame(self._header[0], self._head, self._body)
        self._header = self._body = None
        return done

    def _receive(self) -> bool:
        """Whether bytes came."""
        try:
            if self._body is not None:
                count = self._line.recv_into(memoryview(self._body).cast("B")[self._filled :])
                self._filled += count
            else:
                piece = self._line.recv(_CHUNK)
                self._small += piece
                count = len(piece)
        except BlockingIOError:
            return False
        except OSError:  # reset: its process is gone
            count = 0
        if not count:
            raise Closed
        return True
