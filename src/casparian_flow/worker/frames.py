"""Takes frames off the socket of a guest: hostile input, so every length is checked before anything is allocated."""

from __future__ import annotations

import socket
from typing import NamedTuple

import pyarrow as pa

from casparian_flow.guest.wire import HEADER, MAX_HEAD, MAX_RAW, Kind

_CHUNK = 1 << 16
_NOTHING = pa.py_buffer(b"")


class BrokenFrame(ValueError):
    """What arrived is no frame, or a frame that is not allowed; the message says why."""


class Closed(Exception):
    """The guest closed its end, after a frame or in the middle of one."""


class Frame(NamedTuple):
    """One frame; the body is memory of its own that nobody writes to any more."""

    kind: Kind
    head: bytes
    body: pa.Buffer


class FrameReader:
    """Reads frames from a non-blocking socket. At most one frame and one chunk are held."""

    def __init__(self, line: socket.socket, frame_bytes: int) -> None:
        self._line = line
        most = dict.fromkeys(set(Kind) - {Kind.ORDER}, 0)
        most |= {Kind.SCHEMA: MAX_HEAD, Kind.BATCH: frame_bytes, Kind.REJECTED: MAX_RAW}
        self._most = {int(kind): (kind, body) for kind, body in most.items()}
        """Each kind by its number, with the most bytes of its body."""
        self._piece: bytes | bytearray = b""
        self._at = 0
        """Up to here the piece was taken apart."""
        self._large: tuple[Kind, bytes, pa.Buffer] | None = None
        """A frame whose body is received where it is to lie."""
        self._filled = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been received that was not read as a frame."""
        return self._large is None and self._at == len(self._piece)

    def read(self) -> Frame | None:
        """The next frame, None if it has not arrived in full; raises BrokenFrame, or Closed at the end."""
        while True:
            frame = self._cut() if self._large is None else self._finish(*self._large)
            if frame is not None or not self._receive():
                return frame

    def _cut(self) -> Frame | None:
        """The next frame of the piece, if all of it is there; else its body is awaited where it is to lie."""
        piece, head_at = self._piece, self._at + HEADER.size
        if head_at > len(piece):
            return None
        kind, head_length, body_length = self._check(*HEADER.unpack_from(piece, self._at))
        body_at = head_at + head_length
        end = body_at + body_length
        if body_at > len(piece):
            return None
        head = bytes(piece[head_at:body_at])
        if end <= len(piece):
            self._at = end
            return Frame(kind, head, pa.py_buffer(bytes(piece[body_at:end])) if body_length else _NOTHING)
        body = pa.allocate_buffer(body_length)
        self._filled = len(piece) - body_at
        memoryview(body).cast("B")[: self._filled] = piece[body_at:]
        self._large = kind, head, body
        self._piece, self._at = b"", 0
        return None

    def _check(self, number: int, head: int, body: int) -> tuple[Kind, int, int]:
        try:
            kind, most = self._most[number]
        except KeyError as exc:
            raise BrokenFrame(f"unknown frame kind {number}") from exc
        if head > MAX_HEAD:
            raise BrokenFrame(f"a head of {head} bytes; {MAX_HEAD} is the most")
        if body > most:
            raise BrokenFrame(f"a body of {body} bytes in {kind.name}; {most} is the most")
        return kind, head, body

    def _finish(self, kind: Kind, head: bytes, body: pa.Buffer) -> Frame | None:
        if self._filled < body.size:
            return None
        self._large = None
        return Frame(kind, head, body)

    def _receive(self) -> bool:
        """Whether bytes came."""
        try:
            if self._large is not None:
                count = self._line.recv_into(memoryview(self._large[2]).cast("B")[self._filled :])
                self._filled += count
            else:
                piece = self._line.recv(_CHUNK)
                count = len(piece)
                self._add(piece)
        except BlockingIOError:
            return False
        except OSError:  # reset: its process is gone
            count = 0
        if not count:
            raise Closed
        return True

    def _add(self, piece: bytes) -> None:
        """Go on with what is left of the piece before: mostly nothing, and never copied again for every byte."""
        if self._at == len(self._piece):
            self._piece = piece
        else:
            if not isinstance(self._piece, bytearray):
                self._piece = bytearray(self._piece)
            del self._piece[: self._at]
            self._piece += piece
        self._at = 0
