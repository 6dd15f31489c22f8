"""Tags, and the rules that give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class TagRule:
    """A glob over relative paths that gives a tag; a higher priority is asked first."""

    id: int
    pattern: str
    tag: str
    priority: int = 50
    parser: str | None = None
    topic: str | None = None


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif pattern.startswith("**", at):
            parts.append(".*")
            at += 2
        elif pattern[at] == "*":
            parts.append("[^/]*")
            at += 1
        elif pattern[at] == "?":
            parts.append("[^/]")
            at += 1
        elif pattern[at] == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            body = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[{'^' + body[1:] if body[0] == '!' else body}]")
            at = end + 1
        else:
            parts.append(re.escape(pattern[at]))
            at += 1
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Whether a relative path matches a glob.

    `*` and `?` stay within a folder, `**` crosses folders; a pattern without `/` is matched against the file name.
    """
    subject = path if "/" in pattern else path.rsplit("/", 1)[-1]
    return _glob(pattern).fullmatch(subject) is not None


def rules_for(path: str, rules: Iterable[TagRule]) -> list[TagRule]:
    """The rules that match, highest priority first, ties by id."""
    return sorted((rule for rule in rules if matches(rule.pattern, path)), key=lambda rule: (-rule.priority, rule.id))
