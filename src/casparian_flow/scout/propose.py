"""Proposes globs for files that nothing tags yet, from what their names, folders and contents have in common."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from casparian_flow.core.tags import matches

MOST = 10
"""Proposals at a time: a person reads them."""
MEASURED = 8
"""Globs that are held against every file for one proposal."""
FEWEST = 2
"""One file alone is no pattern."""
MAX_CANDIDATES = 50_000
"""Globs that are counted at a time; of more distinct ones only the first are."""
_VARYING = re.compile(r"[0-9][0-9_.\-T]*[0-9]|[0-9]")
_SPECIAL = re.compile(r"[*?\[]")
_TAG = re.compile(r"[^A-Za-z0-9]+")


class SeenFile(NamedTuple):
    """A file as far as a proposal looks at it; `is_open`: a proposal should cover it."""

    path: str
    content: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A glob, the tag that it could give, and what it would match.

    `files` are open files of the content that most of them have; `others` everything else that matches.
    """

    pattern: str
    tag: str
    content: str
    files: int
    others: int
    examples: tuple[str, ...]

    @property
    def precision(self) -> float:
        """The share of matching files that are meant."""
        return self.files / (self.files + self.others)


def propose(seen: Sequence[SeenFile]) -> list[Proposal]:
    """Globs that cover the open files, the most useful first; each file counts for one of them."""
    proposals: list[Proposal] = []
    left = [file for file in seen if file.is_open]
    while len(proposals) < MOST and len(left) >= FEWEST:
        best = _best(left, seen)
        if best is None:
            break
        proposals.append(best)
        left = [file for file in left if not matches(best.pattern, file.path)]
    return proposals


def _best(left: Sequence[SeenFile], seen: Sequence[SeenFile]) -> Proposal | None:
    """The glob that covers most open files of one content, weighed by how little else it matches."""
    contents: dict[str, Counter[str]] = defaultdict(Counter)
    known: dict[str, Candidate] = {}
    for file in left:
        for candidate in candidates(file.path):
            if candidate.pattern in known or len(known) < MAX_CANDIDATES:
                contents[candidate.pattern][file.content] += 1
                known.setdefault(candidate.pattern, candidate)
    weights = {pattern: max(counts.values()) * known[pattern].weight for pattern, counts in contents.items()}
    promising = sorted(
        (pattern for pattern, counts in contents.items() if max(counts.values()) >= FEWEST),
        key=lambda pattern: (-weights[pattern], -len(pattern), pattern),
    )
    # A glob matches no fewer open files than it was derived from, so the first few hold the best.
    measured = [_measure(known[pattern], left, seen) for pattern in promising[:MEASURED]]
    useful = [each for each in measured if each.files >= FEWEST]
    return max(
        useful,
        key=lambda each: (each.files * each.precision**2 * known[each.pattern].weight, len(each.pattern)),
        default=None,
    )


def _measure(candidate: Candidate, left: Sequence[SeenFile], seen: Sequence[SeenFile]) -> Proposal:
    pattern = candidate.pattern
    meant = [file for file in left if matches(pattern, file.path)]
    counts = Counter(file.content for file in meant)
    content = min(counts, key=lambda name: (-counts[name], name))
    chosen = [file.path for file in meant if file.content == content]
    matching = sum(matches(pattern, file.path) for file in seen)
    return Proposal(
        pattern=pattern,
        tag=candidate.tag or "files",
        content=content,
        files=len(chosen),
        others=matching - len(chosen),
        examples=tuple(chosen[:3]),
    )


class Candidate(NamedTuple):
    """A glob, a word for a tag, and how much it says about the files: a wide one says little."""

    pattern: str
    tag: str
    weight: float


def candidates(path: str) -> Iterator[Candidate]:
    """Globs that match a path, from narrow to wide."""
    folder, _, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    ending = dot + _literal(extension)
    fixed = _VARYING.split(stem)
    if len(fixed) > 1 and any(fixed):
        yield Candidate("*".join(map(_literal, fixed)) + ending, _word(" ".join(fixed)) or _word(extension), 1.0)
    yield Candidate(_literal(stem) + ending, _word(stem), 1.0)
    if folder:
        top, last = folder.split("/", 1)[0], folder.rpartition("/")[2]
        yield Candidate(f"{_literal(folder)}/*{ending}", _word(last), 0.9)
        yield Candidate(f"{_literal(top)}/**/*{ending}", _word(top), 0.7)
    if dot:
        yield Candidate(f"*{ending}", _word(extension), 0.4)


def _literal(text: str) -> str:
    """The text as a glob that matches it and nothing else."""
    return _SPECIAL.sub(lambda found: f"[{found[0]}]", text)


def _word(text: str) -> str:
    """What of a text can be a tag."""
    return _TAG.sub("_", text).strip("_").lower()[:40]
