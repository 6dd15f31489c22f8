"""What is told of a verdict about a file whose values may not be seen."""

from __future__ import annotations

import re
from encodings.aliases import aliases

from casparian_flow.core.receipts import VerdictNote
from casparian_flow.schema.masks import mask

TEXT = "text"
"""What masks call words of a parser or a library."""
_MARKS = re.compile(r"[^\w]{1,4}|none")
_FORM = {
    "newline": re.compile(r"lf|crlf|cr|mixed|none"),
    "delimiter": _MARKS,
    "quote": _MARKS,
    "escape": re.compile(f"{_MARKS.pattern}|double"),
}
"""How a file may be written: whoever says so repeats nothing of what it says."""
_BYTES = "(blank|bom|comment|header|preamble|rejected|rows) [0-9]+"
_OURS = {
    "header": re.compile(
        r"again at byte [0-9]+|[0-9]{1,3}"
        r"( \((rows end in a delimiter|empty cells left out of the header|the header does not name the row numbers)\))?"
    ),
    "trailing_delimiter": re.compile("true"),
    "tables": re.compile(r"[0-9]{1,6}"),
    "bytes": re.compile(f"{_BYTES}(, {_BYTES})*"),
    "completeness": re.compile(
        r"(complete|damaged): [0-9]+ of [0-9]+ records read"
        r"(; [0-9]+ (damaged or missing chunks|gaps in the record numbers))*"
        r"(; the file header (is missing or overwritten|does not match its checksum))?"
    ),
}
"""Numbers and words of parsers that we ship."""
_UNTOLD = frozenset(
    {"comment", "date", "not read", "preamble", "records", "remark", "software", "truncated", "version", "year"}
)
"""Verdicts of parsers that we ship of which only the name is told."""
_FURTHER_TABLE = re.compile(r"t[0-9]{1,6}\.")
_ENCODINGS = frozenset(name for pair in aliases.items() for name in pair if not name.isdigit())


def closed_verdict(verdict: VerdictNote, *, is_ours: bool) -> VerdictNote:
    """The verdict with every text as a mask of which nobody knows whether it repeats a value, its name as well.

    `is_ours`: a parser that we ship says it. Even then it may pass on what it found in the file.
    """
    name = _FURTHER_TABLE.sub("", verdict.name, count=1) if is_ours else verdict.name
    is_known = name in _FORM or name == "encoding" or (is_ours and (name in _OURS or name in _UNTOLD))

    def told(text: str) -> str:
        return text if _may_be_told(name, text, is_ours=is_ours) else mask(text, TEXT)

    return VerdictNote(
        name=verdict.name if is_known else mask(verdict.name, TEXT),
        value=told(verdict.value),
        confidence=verdict.confidence,
        runner_up=None if verdict.runner_up is None else told(verdict.runner_up),
    )


def _may_be_told(name: str, text: str, *, is_ours: bool) -> bool:
    if name == "encoding":
        return text.lower().replace("-", "_") in _ENCODINGS
    words = _FORM.get(name) or (_OURS.get(name) if is_ours else None)
    return words is not None and words.fullmatch(text) is not None
