"""Whether lines are records of delimited text, told conservatively: prose and log lines have commas too."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

DELIMITERS = {
    "\t": "tab",
    ",": "comma",
    ";": "semicolon",
    "|": "bar",
    "\x1f": "unit separator",
    "\x01": "start of heading",
}
_CLOCK_COMMA = re.compile(r"\W?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d,\d{3}\b")
_MARKDOWN_RULE = re.compile(r"\|?\s*:?-{3,}:?\s*\|")
_LOG_LINE = re.compile(
    r"\W?(?:\d{4}-\d\d-\d\d|\d\d?/\d\d?/\d{2,4}|[A-Z][a-z]{2} [ \d]\d)[ T]\d\d:\d\d(?::\d\d)?[^,;|\t]* "
)


def delimiter_of(lines: Sequence[str]) -> str | None:
    """What says that the lines are delimited (`comma, 13 fields`), or None."""
    best: tuple[float, int, str] | None = None
    text = "\n".join(lines)
    is_plain = '"' not in text and "\r" not in text
    for delimiter, name in DELIMITERS.items():
        if 2 * text.count(delimiter) < len(lines):
            continue
        counts = _field_counts(lines, delimiter, is_plain=is_plain)
        if not counts:
            continue
        fields, agreeing = Counter(counts).most_common(1)[0]
        share = agreeing / len(counts)
        if fields < 2 or share < (0.7 if fields >= 4 else 0.8 if fields == 3 else 0.9):
            continue
        if _is_prose(text, lines, delimiter, fields):
            continue
        if best is None or (share, fields) > best[:2]:
            best = (share, fields, f"{name}, {fields} fields")
    return best[2] if best else None


def _field_counts(lines: Sequence[str], delimiter: str, *, is_plain: bool) -> list[int]:
    """The number of fields of each record; none when the delimiter is rare, or quotes never close.

    Of lines that are plain, without a quote or a lone carriage return, each is a record that ends at its end.
    """
    pieces = [line.count(delimiter) + 1 for line in lines]
    if 2 * pieces.count(1) > len(lines):
        return []
    if _has_most(f"<{delimiter}>", lines):  # a delimiter of three characters
        return []
    if is_plain:
        return pieces
    try:
        counts = list(map(len, csv.reader(lines, delimiter=delimiter)))
    except csv.Error:
        return pieces
    return pieces if 2 * len(counts) < len(lines) else counts  # a stray quote swallowed lines


def _has_most(part: str, lines: Sequence[str]) -> bool:
    """Whether more than half of the lines have the part."""
    return 2 * sum(part in line for line in lines) > len(lines)


def _begins_most(pattern: re.Pattern[str], lines: Sequence[str]) -> bool:
    """Whether more than half of the lines begin like the pattern; looks no further than it takes to deny it."""
    left = (len(lines) + 1) // 2
    for line in lines:
        if pattern.match(line) is None:
            left -= 1
            if not left:
                return False
    return True


def _is_prose(text: str, lines: Sequence[str], delimiter: str, fields: int) -> bool:
    """Whether the delimiter looks like punctuation; `text` is the lines as one."""
    if delimiter == "\t":
        return False
    if delimiter == "|" and any(_MARKDOWN_RULE.match(line) for line in lines):
        return True
    if delimiter == "," and _begins_most(_CLOCK_COMMA, lines):
        return True
    if fields <= 4 and _begins_most(_LOG_LINE, lines):
        return True
    words = text.count(" ") / (text.count(delimiter) + len(lines))
    if (
        fields == 2
        and words >= 1
        and 10 * sum(" " in line.partition(delimiter)[0].strip() for line in lines) > len(lines)
    ):
        return True  # two columns of several words each are two halves of sentences
    if len(lines) == 1:
        return fields < 3 or words > 2
    return (delimiter in ",;" and words > 1.5 and _has_most(f"{delimiter} ", lines)) or (fields <= 3 and words > 4)
