"""The long form of every code: what it means, what usually causes it, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KINDS = {"error": "errors.md", "reason": "reasons.md", "rejection": "rejections.md"}
"""Each kind of code and the file that explains those of it; one `## CODE` section each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. What to do is commands and sentences, the most helpful first."""

    code: str
    kind: str
    meaning: str
    causes: tuple[str, ...]
    steps: tuple[str, ...]


@cache
def entries() -> dict[str, Entry]:
    """Every code that is explained, in the order in which they are listed."""
    return {
        entry.code: entry
        for kind, name in KINDS.items()
        for entry in _read(kind, (Path(__file__).parent / name).read_text(encoding="utf-8"))
    }


def _read(kind: str, text: str) -> Iterator[Entry]:
    for section in text.split("\n## ")[1:]:
        code, _, body = section.partition("\n")
        meaning, _, rest = body.partition("Causes:")
        causes, _, steps = rest.partition("Do:")
        yield Entry(code.strip(), kind, " ".join(meaning.split()), _items(causes), _items(steps))


def _items(text: str) -> tuple[str, ...]:
    return tuple(line.removeprefix("- ").strip() for line in text.splitlines() if line.startswith("- "))
