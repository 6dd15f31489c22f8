"""Whether lines are those of a log format that a shipped parser knows."""

from __future__ import annotations

import re
from collections.abc import Sequence

_W3C = re.compile(r"#Fields:\s*[A-Za-z]", re.IGNORECASE)
_DIRECTIVES = 20
_FORMATS = (
    (
        "web_access",
        re.compile(
            r'(?:\S+ ){3,4}\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "(?:[^"\\]|\\.)*" (?:\d{3}|-) '
        ),
    ),
    (
        "web_error",
        re.compile(
            r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4}\] \["
            r"|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: "
        ),
    ),
    (
        "syslog",
        re.compile(
            r"(?:<\d{1,3}>)?(?:"
            r"[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?(?: \d{4})?:? \S"
            r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d) \S+ [^\s:\[\]]+(?:\[\d+\])?: "
            r")|<\d{1,3}>[1-9]\d? (?:-|\d{4}-\d\d-\d\dT\S+) \S+ \S+ \S+ \S+ [-\[]"
        ),
    ),
)


def log_kind(lines: Sequence[str]) -> tuple[str, str] | None:
    """The format of most lines that are not indented, with the reason; None when it is none of ours."""
    for number, line in enumerate(lines, start=1):
        if _W3C.match(line):
            return "w3c", f"line {number} names the fields"
        if number == _DIRECTIVES or not line.startswith("#"):
            break
    heads = [line for line in lines if not line[0].isspace()]
    for kind, pattern in _FORMATS:
        matching = sum(pattern.match(line) is not None for line in heads)
        if 3 * matching >= 2 * max(1, len(heads)):
            return kind, f"{matching} of the first {len(heads)} lines match"
    return None
