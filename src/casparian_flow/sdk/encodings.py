"""Which encoding a text file is in, decided over the whole file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from casparian_flow.sdk.emit import Verdict

HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 22
_BEYOND = bytes(range(0x80, 0x100))
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

WINDOWS_1252 = "".join(bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(256))
"""Windows-1252 as browsers read it: its five undefined bytes are the control characters of the same number."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding (`utf-8 cp1252`, `utf-16-` or `utf-32-` with `le` or `be`) and how many bytes its mark takes."""

    name: str
    mark: int = 0
    confidence: float = 1.0

    @property
    def unit(self) -> int:
        """Bytes per code unit."""
        return {"utf-16": 2, "utf-32": 4}.get(self.name[:6], 1)

    @property
    def verdict(self) -> Verdict:
        """The same as what a parser yields."""
        return Verdict("encoding", self.name, self.confidence, None if self.mark else "cp1252")


UTF_8 = Encoding("utf-8")
_MARKS_32 = ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"))
_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]+")


def detect_utf_32(head: bytes) -> Encoding | None:
    """UTF-32, which only the parser of delimited text reads, by its mark or by where its NUL bytes are."""
    for mark, name in _MARKS_32:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    fours = len(head[:4096]) // 4
    if fours < 4:
        return None
    first, second, third, fourth = (head[at : 4 * fours : 4].count(0) for at in range(4))
    if third == fourth == fours and first == 0 and second > 0.5 * fours:
        return Encoding("utf-32-le", confidence=0.9)
    if first == second == fours and fourth == 0 and third > 0.5 * fours:
        return Encoding("utf-32-be", confidence=0.9)
    return None


def western_confidence(text: bytes) -> float:
    """How sure it is that text which is not UTF-8 is Windows-1252: no encoding of single bytes says which it is.

    In western text few letters are beyond ASCII. Where most are, it is likely another alphabet that reads as nonsense.
    """
    found = _LETTERS.findall(text)
    beyond = sum(len(word) - len(word.translate(None, _BEYOND)) for word in found)
    return 0.2 if 2 * beyond > sum(map(len, found)) else 0.7


def detect_unicode(head: bytes) -> Encoding:
    """UTF-16 by its mark or by where its NUL bytes are, else UTF-8; looks at the given bytes only."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    pairs = len(head[:4096]) // 2
    if pairs >= 2 and b"\0" in head:
        low, high = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
        if high >= 0.5 * pairs and low <= 0.02 * pairs:
            return Encoding("utf-16-le", confidence=0.9)
        if low >= 0.5 * pairs and high <= 0.02 * pairs:
            return Encoding("utf-16-be", confidence=0.9)
    return UTF_8


def detect_encoding(path: Path) -> Encoding:
    """Like `detect_unicode`, but reads the whole file before it decides between UTF-8 and Windows-1252.

    A file is Windows-1252 when more of its lines break UTF-8 than hold valid characters beyond ASCII.
    """
    with path.open("rb") as file:
        found = detect_unicode(file.read(HEAD_BYTES))
        if found.name != "utf-8" or found.mark:
            return found
        file.seek(0)
        valid = broken = 0
        sample = bytearray()
        for lines in _lines_beyond_ascii(file):
            for line in lines:
                try:
                    line.decode()
                except UnicodeDecodeError:
                    broken += 1
                    if len(sample) < HEAD_BYTES:
                        sample += line[:HEAD_BYTES]
                else:
                    valid += not line.isascii()
    if broken > valid:
        return Encoding("cp1252", confidence=round(western_confidence(bytes(sample)) * broken / (broken + valid), 3))
    return UTF_8 if not broken else Encoding("utf-8", confidence=valid / (broken + valid))


def _lines_beyond_ascii(file: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of those blocks that are not plain ASCII; a line longer than a block counts as several."""
    carry = b""
    while block := file.read(_BLOCK_BYTES):
        cut = block.rfind(b"\n") + 1 or len(block)
        whole = carry + block[:cut]
        carry = block[cut:]
        if not whole.isascii():
            yield whole.split(b"\n")
    if not carry.isascii():
        yield [carry]
