"""Which encoding a file is written in."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from casparian_flow.sdk.encodings import detect_utf_32, western_confidence

HEAD = 1 << 20
SCAN_WHOLE = 64 << 20
SAMPLES = 32

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ALIASES = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le", "ascii": "utf-8"}
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""Half a character as some programs write it: one fault of three bytes."""
_STRAY = re.compile(rb"[\x81\x8d\x8f\x90\x9d\xff]|(?<=[0-9])[\xc0-\xfe]|[\xc0-\xfe](?=[0-9])")
"""Bytes that mean nothing in Windows-1252, or letters beyond ASCII that touch a digit."""
_UNITS = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec whose characters have a known width in bytes, so that every position maps back to the file."""

    codec: str
    bom: int = 0
    confidence: float = 1.0
    runner_up: str | None = None

    @property
    def unit(self) -> int:
        """Bytes of one code unit; UTF-8 is read as it stands."""
        return _UNITS.get(self.codec, 1)


class UnknownEncoding(ValueError):
    """The encoding asked for does not exist, or its characters have no fixed width."""


def detect_encoding(file: BinaryIO, asked: str | None) -> Encoding:
    """The file's encoding: asked for, marked, or judged from its head and from samples further in."""
    file.seek(0)
    head = file.read(min(HEAD, os.fstat(file.fileno()).st_size))
    for bom, codec in _BOMS:
        if head.startswith(bom) and (asked is None or canonical(asked) == codec or asked.lower().startswith("utf-16")):
            return Encoding(codec, len(bom))
    if asked is not None:
        return Encoding(canonical(asked))
    if (wide := _without_bom(head)) is not None:
        return Encoding(wide, 0, 0.9, "utf-8")
    good, bad, stray = _count_utf8(file, head)
    if bad == 0:
        return Encoding("utf-8", 0, 1.0 if good else 0.95, "cp1252")
    if good >= bad:
        return Encoding("utf-8", 0, round(good / (good + bad), 3), "cp1252")
    if good == 0 and bad == stray:
        return Encoding("utf-8", 0, 0.5, "cp1252")
    return Encoding("cp1252", 0, round(western_confidence(head) * (1 if good == 0 else 0.8), 3), "utf-8")


def canonical(name: str) -> str:
    """The codec's own name; raises UnknownEncoding for one whose characters vary in width."""
    try:
        codec = codecs.lookup(name).name
    except LookupError as exc:
        raise UnknownEncoding(f"there is no encoding {name!r}") from exc
    codec = _ALIASES.get(codec, codec)
    if codec == "utf-8" or codec in _UNITS:
        return codec
    pairs = [bytes([first, second]) for first in range(256) for second in b"\x30\x41\x61\xa1\xbf"]
    try:
        is_fixed = all(len(pair.decode(codec, "replace")) == 2 for pair in pairs)
    except (UnicodeError, LookupError) as exc:
        raise UnknownEncoding(f"{name!r} is not an encoding of text") from exc
    if not is_fixed:
        raise UnknownEncoding(f"{name!r} has characters of varying width, which cannot be mapped back to bytes")
    return codec


def _without_bom(head: bytes) -> str | None:
    if 0 not in head:
        return None
    if wide := detect_utf_32(head):
        return wide.name
    if len(head) < 4:
        return None
    pairs = np.frombuffer(head[: len(head) & ~1], np.uint8).reshape(-1, 2)
    even, odd = (pairs == 0).mean(axis=0)
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    if even > 0.4 and odd < 0.05:
        return "utf-16-be"
    return None


def _count_utf8(file: BinaryIO, head: bytes) -> tuple[int, int, int]:
    """How many multi-byte sequences are right, how many bytes are wrong, and how many of them no western text has.

    Of the whole file, or of samples.
    """
    size = os.fstat(file.fileno()).st_size
    good, bad, stray = _judge(head)
    if size <= len(head):
        return good, bad, stray
    if size <= SCAN_WHOLE:
        offsets = range(len(head), size, HEAD)
        length = HEAD
    else:
        length = HEAD >> 3
        offsets = range(len(head), size, max(1, (size - len(head)) // SAMPLES))
    for offset in offsets:
        file.seek(offset)
        more_good, more_bad, more_stray = _judge(file.read(length))
        good, bad, stray = good + more_good, bad + more_bad, stray + more_stray
    return good, bad, stray


def _judge(data: bytes) -> tuple[int, int, int]:
    if data.isascii():
        return 0, 0, 0
    start = 0
    while start < min(4, len(data)) and data[start] & 0xC0 == 0x80:  # the tail of a character cut by the sample
        start += 1
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(data[start:])
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    bad = int(((codes >= 0xDC80) & (codes <= 0xDCFF)).sum())
    good = int((codes >= 0x80).sum()) - bad
    return good, bad - 2 * len(_SURROGATE.findall(data)), len(_STRAY.findall(data)) if good == 0 else 0
