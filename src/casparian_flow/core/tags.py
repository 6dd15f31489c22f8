"""Tags, and the rules that give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from casparian_flow.core.sizes import SizeRange


@dataclass(frozen=True, slots=True)
class TagRule:
    """A glob over relative paths that gives a tag; a higher priority is asked first."""

    id: int
    pattern: str
    tag: str
    priority: int = 50
    parser: str | None = None
    topic: str | None = None
    size: SizeRange | None = None
    """The sizes of files that it is about; None is any."""

    def fits(self, path: str, size: int | None) -> bool:
        """Whether the rule is about a file; where it asks for sizes, one of unknown size does not fit."""
        if self.size is not None and (size is None or not self.size.holds(size)):
            return False
        return matches(self.pattern, path)


_PIECE = re.compile(r"(?:(?<=/)|(?<![\s\S]))\*\*/|\*\*|\*|\?|\[!?\]?+[^\]]*\]|[\s\S]")
_WIDE = {"**/": "(?:.*?/)??", "**": ".*?"}


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression that takes at most quadratic time, however many stars there are.

    What stands between two stars may stop at the first place where it fits, since the star after it reaches
    every later place too; an atomic group says so, and a failed match never tries the others.
    """
    units: list[tuple[str, list[str]]] = [("", [""])]
    for piece in _PIECE.findall(pattern):
        if piece in _WIDE:
            units.append((_WIDE[piece], [""]))
        elif piece == "*":
            units[-1][1].append("")
        else:
            units[-1][1][-1] += _one(piece)
    written = [wide + _unit(chunks) for wide, chunks in units]
    return re.compile("".join(f"(?>{each})" for each in written[:-1]) + written[-1], re.DOTALL)


def _unit(chunks: list[str]) -> str:
    """What stands between two stars that cross folders: pieces with stars between them that do not."""
    first, *others = chunks
    if not others:
        return first
    return first + "".join(f"(?>[^/]*?{chunk})" for chunk in others[:-1]) + f"[^/]*?{others[-1]}"


def _one(piece: str) -> str:
    if piece == "?":
        return "[^/]"
    if len(piece) == 1:
        return re.escape(piece)
    body = piece[1:-1]
    is_negated = body[0] in "!^" and len(body) > 1
    return f"(?!/){_members(body[1:] if is_negated else body, is_negated)}"


def _members(body: str, is_negated: bool) -> str:
    """A set of characters and ranges; a range that runs backwards holds nothing."""
    members = ""
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            if body[at] <= body[at + 2]:
                members += f"{re.escape(body[at])}-{re.escape(body[at + 2])}"
            at += 3
        else:
            members += re.escape(body[at])
            at += 1
    if not members:
        return "." if is_negated else "(?!)"
    return f"[{'^' if is_negated else ''}{members}]"


def matches(pattern: str, path: str) -> bool:
    """Whether a relative path matches a glob.

    `*` and `?` stay within a folder, `**` crosses folders; a pattern without `/` is matched against the file name.
    """
    subject = path if "/" in pattern else path.rsplit("/", 1)[-1]
    return _glob(pattern).fullmatch(subject) is not None


def rules_for(path: str, rules: Iterable[TagRule], size: int | None = None) -> list[TagRule]:
    """The rules that fit a file, highest priority first, ties by id."""
    return sorted((rule for rule in rules if rule.fits(path, size)), key=lambda rule: (-rule.priority, rule.id))


def explain_match(pattern: str, path: str) -> str:
    """In words why a glob matches a path or does not, with what would have matched."""
    name = path.rsplit("/", 1)[-1]
    subject = f"the path {path!r}" if "/" in pattern else f"the file name {name!r}"
    if matches(pattern, path):
        return f"{subject} matches {pattern!r}"
    missed = f"{subject} does not match {pattern!r}"
    if matches(pattern.lower(), path.lower()):
        return f"{missed}: only upper and lower case differ"
    if "/" in pattern and matches(f"**/{pattern.lstrip('/')}", path):
        return f"{missed}: a pattern with / begins at the source's root; '**/{pattern.lstrip('/')}' would match"
    if "/" in pattern and matches(pattern.rsplit("/", 1)[-1], path):
        return f"{missed}: the file name fits, the folder does not"
    return missed
