"""What kind of content a file holds, told from its first 64 KiB."""

from __future__ import annotations

from dataclasses import dataclass

from casparian_flow.scout.delimited_shape import delimiter_of
from casparian_flow.scout.json_shape import json_kind
from casparian_flow.scout.log_shape import log_kind
from casparian_flow.scout.magic import EVTX, LATER, SQLITE, archive_name, binary_name
from casparian_flow.sdk.encodings import detect_unicode, detect_utf_32

HEAD_BYTES = 1 << 16
SAMPLE_LINES = 200
_FEW_NULS = 100
"""Text of which one byte in so many is NUL is damaged text: its parser rejects the lines that have one."""
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1b\x08")
_NOT_TEXT = [*_CONTROLS.decode(), "\ufffd"]
_MARKS = b"\x01\x1f"
"""Control characters that separate the fields of some exports."""


@dataclass(frozen=True, slots=True)
class ContentKind:
    """`kind` is what parsers name in `content`, or `empty` or `binary`; `reason` says what told it."""

    kind: str
    reason: str


def sniff(head: bytes, size: int) -> ContentKind:
    """The kind of a file of `size` bytes that begins with `head`; never raises, reads no more than 64 KiB of it."""
    head = head[:HEAD_BYTES]
    if not head:
        return ContentKind("empty", "no bytes")
    if head.startswith(EVTX):
        return ContentKind("evtx", "starts like a Windows event log")
    if head.startswith(SQLITE):
        return ContentKind("sqlite", "starts like an SQLite database")
    if name := archive_name(head):
        return ContentKind("binary", f"{name}: {LATER}")
    if name := binary_name(head):
        return ContentKind("binary", name)
    if b"\0" in head and (wide := detect_utf_32(head)):
        return _delimited_alone(head[wide.mark :].decode(wide.name, "replace"), size, "UTF-32")
    encoding = detect_unicode(head)
    if encoding.unit == 1:
        if _has_many_nuls(head):
            return ContentKind("binary", "NUL bytes")
        controls = len(head) - len(head.translate(None, _CONTROLS))
        if 20 * (controls - 1) > len(head):
            if 20 * (controls - sum(map(head.count, _MARKS))) > len(head):
                return ContentKind("binary", "control characters")
            return _delimited_alone(head.decode("utf-8", "replace"), size, "control characters")
    text = head[encoding.mark :].decode(encoding.name, "replace")
    if encoding.unit == 2 and 20 * (sum(map(text.count, _NOT_TEXT)) - 1) > len(text):
        return ContentKind("binary", "NUL bytes")
    return _text_kind(text, is_whole=len(head) >= size)


def _has_many_nuls(head: bytes) -> bool:
    """More than damage leaves in text: one byte in a hundred, and so few lines that most could have one."""
    nuls = head.count(0)
    return _FEW_NULS * nuls > len(head) and 4 * nuls > head.count(b"\n")


def _delimited_alone(text: str, size: int, otherwise: str) -> ContentKind:
    """The kind of text that only delimited text may be in; else it is binary."""
    kind = _text_kind(text, is_whole=len(text) >= size)
    return kind if kind.kind == "delimited" else ContentKind("binary", otherwise)


def _text_kind(text: str, *, is_whole: bool) -> ContentKind:
    found = json_kind(text, is_whole=is_whole)
    if found:
        return ContentKind(*found)
    lines = text.split("\n", 2 * SAMPLE_LINES + 1) if "\n" in text else text.splitlines()
    if not is_whole and len(lines) > 1:
        lines.pop()
    sample = [line for line in lines[: 2 * SAMPLE_LINES] if line.strip()][:SAMPLE_LINES]
    if "\r" in text:
        sample = [line.rstrip("\r") for line in sample]
    if not sample:
        return ContentKind("text", "blank lines")
    found = log_kind(sample)
    if found:
        return ContentKind(*found)
    delimiter = delimiter_of(sample)
    if delimiter:
        return ContentKind("delimited", delimiter)
    return ContentKind("text", "lines of text")
