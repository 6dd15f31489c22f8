"""Whether text is JSON: one document, several, or one per line."""

from __future__ import annotations

import json
import re

import msgspec

_BEGINS = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{])')
_MAX_LINES = 50
_DECODER = json.JSONDecoder()
_SHALLOW = 100
"""Deeper text is left to the decoder of the library alone: the two give up at different depths."""


def json_kind(text: str, *, is_whole: bool) -> tuple[str, str] | None:
    """`json` or `jsonl` with the reason, or None."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return _broken_lines(text, is_whole)
    if found := _lines(text, is_whole):
        return found
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    try:
        _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        if not _BEGINS.match(text, start):
            return None
        return "json", "begins like a JSON document"
    return "json", "a JSON document"


def _lines(text: str, is_whole: bool) -> tuple[str, str] | None:
    lines = text.split("\n", _MAX_LINES)
    if not is_whole or len(lines) > _MAX_LINES:
        lines.pop()
    lines = [line for line in lines if line.strip()]
    objects = sum(map(_is_object, lines))
    if len(lines) > 1 and 2 * objects > len(lines):
        return "jsonl", f"{objects} of the first {len(lines)} lines are JSON objects"
    return None


def _broken_lines(text: str, is_whole: bool) -> tuple[str, str] | None:
    """JSON Lines whose first line is damaged."""
    return _lines(text, is_whole) if '\n{"' in text else None


def _is_object(line: str) -> bool:
    line = line.strip("\ufeff \t\r")
    if not (line.startswith("{") and line.endswith("}")):
        return False
    if line.count("{") + line.count("[") < _SHALLOW:
        try:
            msgspec.json.decode(line)
        except ValueError:
            pass  # stricter than the library: NaN, numbers beyond 64 bits, half a surrogate pair
        else:
            return True
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
