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
    for delimiter, name in DELIMITERS.items():
        counts = _field_counts(lines, delimiter)
        if not counts:
            continue
        fields, agreeing = Counter(counts).most_common(1)[0]
        share = agreeing / len(counts)
        if fields < 2 or share < (0.7 if fields >= 4 else 0.8 if fields == 3 else 0.9):
            continue
        if _is_prose(lines, delimiter, fields):
            continue
        if best is None or (share, fields) > best[:2]:
            best = (share, fields, f"{name}, {fields} fields")
    return best[2] if best else None


def _field_counts(lines: Sequence[str], delimiter: str) -> list[int]:
    """The number of fields of each record; none when the delimiter is rare, or quotes never close."""
    if 2 * sum(delimiter in line for line in lines) < len(lines):
        return []
    if sum(f"<{delimiter}>" in line for line in lines) * 2 > len(lines):  # a delimiter of three characters
        return []
    try:
        counts = [len(record) for record in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        counts = [line.count(delimiter) + 1 for line in lines]
    if 2 * len(counts) < len(lines):  # a stray quote swallowed lines
        counts = [line.count(delimiter) + 1 for line in lines]
    return counts


def _is_prose(lines: Sequence[str], delimiter: str, fields: int) -> bool:
    """Whether the delimiter looks like punctuation."""
    if delimiter == "\t":
        return False
    if delimiter == "|" and any(_MARKDOWN_RULE.match(line) for line in lines):
        return True
    if delimiter == "," and sum(_CLOCK_COMMA.match(line) is not None for line in lines) * 2 > len(lines):
        return True
    if sum(_LOG_LINE.match(line) is not None for line in lines) * 2 > len(lines) and fields <= 4:
        return True
    cells = [cell for line in lines for cell in line.split(delimiter)]
    words = sum(cell.count(" ") for cell in cells) / len(cells)
    spaced = sum(f"{delimiter} " in line for line in lines) * 2 > len(lines)
    if (
        fields == 2
        and words >= 1
        and 10 * sum(" " in line.partition(delimiter)[0].strip() for line in lines) > len(lines)
    ):
        return True  # two columns of several words each are two halves of sentences
    if len(lines) == 1:
        return fields < 3 or words > 2
    return (delimiter in ",;" and spaced and words > 1.5) or (fields <= 3 and words > 4)
