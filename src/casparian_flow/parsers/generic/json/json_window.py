"""The part of a JSON file that is in memory: UTF-8 bytes and their places in the file."""

from __future__ import annotations

import codecs
from typing import Any, BinaryIO

import numpy as np

from casparian_flow.sdk.encodings import Encoding

BLOCK_BYTES = 1 << 22
MAX_VALUE = 1 << 24
SPACE = b" \t\r\n"


class Window:
    """A window over a file that grows at its end and is consumed at its start."""

    def __init__(self, file: BinaryIO, encoding: Encoding) -> None:
        self._file = file
        self._decoder = None
        if encoding.unit == 2:
            self._decoder = codecs.getincrementaldecoder(encoding.name)("surrogatepass")
        self.data = b""
        self.is_whole = False
        self._origin = encoding.mark

    def grow(self) -> bool:
        """Read on; False when nothing is left, or the window holds as much as one value may."""
        if self.is_whole or len(self.data) > MAX_VALUE:
            return False
        piece = self._file.read(BLOCK_BYTES)
        self.is_whole = len(piece) < BLOCK_BYTES
        self.data += piece if self._decoder is None else self._recoded(piece)
        return True

    def _recoded(self, piece: bytes) -> bytes:
        if self._decoder is None:
            return piece
        try:
            text = self._decoder.decode(piece, final=self.is_whole)
        except UnicodeDecodeError:  # half a code unit at the end of the file
            text = self._decoder.decode(piece[:-1], final=False) + "\ud800"
        return text.encode("utf-8", "surrogatepass")

    def consume(self, count: int) -> None:
        """Forget the first bytes."""
        self._origin = int(self.places(np.array([count]))[0])
        self.data = self.data[count:]

    def skip_to_end(self) -> int:
        """Forget everything up to the end of the file, which it returns."""
        self.is_whole = True
        end = self._file.seek(0, 2)
        self.data, self._origin = b"", end
        return end

    def places(self, offsets: Any) -> Any:
        """Where in the file these offsets of the window are."""
        if self._decoder is None:
            return self._origin + offsets
        used = np.frombuffer(self.data, np.uint8)
        width = np.where(used & 0xC0 == 0x80, 0, np.where(used >= 0xF0, 4, 2))
        return self._origin + np.concatenate(([0], np.cumsum(width)))[offsets]

    def first_text(self, offset: int = 0) -> int:
        """The offset of the first byte from there on that is no white space."""
        return len(self.data) - len(self.data[offset:].lstrip(SPACE))
