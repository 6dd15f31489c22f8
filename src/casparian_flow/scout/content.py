"""What kind of content a file holds, told from its first 64 KiB."""

from __future__ import annotations

from dataclasses import dataclass

from casparian_flow.scout.delimited_shape import delimiter_of
from casparian_flow.scout.json_shape import json_kind
from casparian_flow.scout.log_shape import log_kind
from casparian_flow.scout.magic import EVTX, LATER, SQLITE, archive_name, binary_name
from casparian_flow.sdk.encodings import detect_unicode

HEAD_BYTES = 1 << 16
SAMPLE_LINES = 200
_FEW_NULS = 100
"""Text of which one byte in so many is NUL is damaged text: its parser rejects the lines that have one."""
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1b\x08")
_NOT_TEXT = [*_CONTROLS.decode(), "\ufffd"]


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
    encoding = detect_unicode(head)
    if encoding.unit == 1:
        if _FEW_NULS * head.count(0) > len(head):
            return ContentKind("binary", "NUL bytes")
        if 20 * len(head.translate(None, _CONTROLS)) < 19 * len(head):
            return ContentKind("binary", "control characters")
    text = head[encoding.mark :].decode(encoding.name, "replace")
    if encoding.unit == 2 and 20 * sum(map(text.count, _NOT_TEXT)) > len(text):
        return ContentKind("binary", "NUL bytes")
    return _text_kind(text, is_whole=len(head) >= size)


def _text_kind(text: str, *, is_whole: bool) -> ContentKind:
    found = json_kind(text, is_whole=is_whole)
    if found:
        return ContentKind(*found)
    lines = text.splitlines() if "\n" not in text else text.split("\n")
    if not is_whole and len(lines) > 1:
        lines.pop()
    sample = [line.rstrip("\r") for line in lines[: 2 * SAMPLE_LINES] if line.strip()][:SAMPLE_LINES]
    if not sample:
        return ContentKind("text", "blank lines")
    found = log_kind(sample)
    if found:
        return ContentKind(*found)
    delimiter = delimiter_of(sample)
    if delimiter:
        return ContentKind("delimited", delimiter)
    return ContentKind("text", "lines of text")
