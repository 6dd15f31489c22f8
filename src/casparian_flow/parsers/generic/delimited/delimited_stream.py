"""The file as a window of UTF-8 text whose every position maps back to a byte of the file."""

from __future__ import annotations

import codecs
import os
from typing import BinaryIO

import numpy as np
from delimited_encoding import Encoding

CHUNK = 1 << 20

MAX_RECORD = 16 << 20
"""The most bytes that may be held for one record."""

_PLACEHOLDER = "cf-undecodable"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """One lone surrogate per code unit that cannot be decoded; it becomes the byte FF, which no UTF-8 text has."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    unit = {"utf-16": 2, "utf-32": 4}.get(error.encoding[:6], 1)
    return "\udcff" * max(1, (error.end - error.start + unit - 1) // unit), error.end


codecs.register_error(_PLACEHOLDER, _mark)


class Stream:
    """Reads forward in bounded memory: `buf[pos:]` is what has been read and not yet consumed.

    `fill` may move the window: positions into `buf` are good until it is called.
    """

    def __init__(self, file: BinaryIO, encoding: Encoding) -> None:
        self._file = file
        self._encoding = encoding
        self._size = os.fstat(file.fileno()).st_size
        self._decoder = None
        if encoding.codec != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding.codec)(_PLACEHOLDER)
        self._widths: np.ndarray | None = None
        self._origin = encoding.bom
        self.buf = b""
        self.pos = 0
        self.eof = False
        file.seek(encoding.bom)

    def fill(self, want: int) -> bool:
        """Have at least `want` bytes ahead, or all there are; False if nothing was added."""
        missing = want - (len(self.buf) - self.pos)
        if self.eof or missing <= 0:
            return False
        parts = [self.buf[self.pos :]]
        before = len(parts[0])
        self._origin = self.origin(self.pos)
        while missing > 0 and not self.eof:
            left = self._size - self._file.tell()  # room for a whole chunk costs more than reading a small file
            raw = self._file.read(min(max(missing, CHUNK), max(left, 0) + 1))
            self.eof = not raw
            part = raw
            if self._decoder is not None:
                part = self._decoder.decode(raw, final=self.eof).encode("utf-8", "surrogateescape")
            parts.append(part)
            missing -= len(part)
        self.buf = b"".join(parts)
        self.pos = 0
        self._widths = None
        return len(self.buf) > before

    def has_more(self, want: int) -> bool:
        """Whether anything is left to consume; `want` bytes of it are at hand if there are so many."""
        if len(self.buf) - self.pos < want:
            self.fill(want)
        return self.pos < len(self.buf)

    def origin(self, position: int) -> int:
        """The byte of the file at which `buf[position]` was read."""
        if self._decoder is None:
            return self._origin + position
        if self._widths is None:
            self._widths = self._measure()
        return min(int(self._widths[position]) + self._origin, self._size)

    def origins(self, positions: np.ndarray) -> np.ndarray:
        """The same for many positions."""
        if self._decoder is None:
            return positions + self._origin
        if self._widths is None:
            self._widths = self._measure()
        origins: np.ndarray = np.minimum(self._widths[positions] + self._origin, self._size)
        return origins

    def raw(self, start: int, end: int) -> bytes:
        """The file's own bytes."""
        return os.pread(self._file.fileno(), end - start, start)

    def _measure(self) -> np.ndarray:
        codes = np.frombuffer(self.buf, np.uint8)
        width = np.zeros(len(codes) + 1, np.int64)
        units = ((codes & 0xC0) != 0x80).astype(np.int64)
        if self._encoding.unit == 2:
            units += (codes >= 0xF0) & (codes < 0xF8)  # a surrogate pair
        np.cumsum(units * self._encoding.unit, out=width[1:])
        return width
