"""Whether lines are those of a log format that a shipped parser knows."""

from __future__ import annotations

import re
from collections.abc import Sequence

_W3C = re.compile(r"#Fields:\s*[A-Za-z]", re.IGNORECASE)
_DIRECTIVES = 20
_FORMATS = (
    (
        "web_access",
        " [",
        re.compile(
            r'(?:\S+ ){3,4}\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "(?:[^"\\]|\\.)*" (?:\d{3}|-) '
        ),
    ),
    (
        "web_error",
        " [",
        re.compile(
            r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4}\] \["
            r"|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: "
        ),
    ),
    (
        "syslog",
        "",
        re.compile(
            r"(?:<\d{1,3}>)?(?:"
            r"[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?(?: \d{4})?:? \S"
            r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d) \S+ [^\s:\[\]]+(?:\[\d+\])?: "
            r")|<\d{1,3}>[1-9]\d? (?:-|\d{4}-\d\d-\d\dT\S+) \S+ \S+ \S+ \S+ [-\[]"
        ),
    ),
)
"""The name of each format, a text that every line of it has, and how its lines begin."""


def log_kind(lines: Sequence[str]) -> tuple[str, str] | None:
    """The format of most lines that are not indented, with the reason; None when it is none of ours."""
    for number, line in enumerate(lines, start=1):
        if _W3C.match(line):
            return "w3c", f"line {number} names the fields"
        if number == _DIRECTIVES or not line.startswith("#"):
            break
    heads = [line for line in lines if not line[0].isspace()]
    if not heads:
        return None
    text = "\n".join(heads)
    for kind, part, pattern in _FORMATS:
        if 3 * text.count(part) < 2 * len(heads):
            continue
        matching = _matching(pattern, heads)
        if 3 * matching >= 2 * len(heads):
            return kind, f"{matching} of the first {len(heads)} lines match"
    return None


def _matching(pattern: re.Pattern[str], heads: Sequence[str]) -> int:
    """How many lines match; 0 as soon as more than a third do not, as with nearly every file that is no log."""
    most = len(heads) // 3
    misses = 0
    for line in heads:
        if pattern.match(line) is None:
            misses += 1
            if misses > most:
                return 0
    return len(heads) - misses
