"""Draws rows as aligned columns that fit the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

MEASURED = 200
"""Rows that are looked at for the widths; later ones are cut to fit."""
GAP = "  "
SHORTEST = 8
BOLD, RESET = "\x1b[1m", "\x1b[0m"
COLORS = {
    "\x1b[32m": {"done", "completed", "ok", "applied", "active"},
    "\x1b[33m": {"quarantined", "skipped", "warn", "proposed", "pending", "open", "rejected"},
    "\x1b[31m": {"failed", "missing", "fail", "revoked", "aborted"},
}


def width_of(text: str) -> int:
    """Columns that the text takes on a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def shorten(text: str, width: int, mark: str = "…") -> str:
    """The text in at most `width` columns; the middle goes, since both ends of a path tell most."""
    if width_of(text) <= width:
        return text
    room = max(width - len(mark), 0)
    tail = room // 2
    head = _prefix(text, room - tail)
    return head + mark[:width] + _prefix(text[::-1], tail)[::-1]


def draw(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[bool],
    whole: Sequence[bool] | None = None,
    width: int | None,
    color: bool = False,
    mark: str = "…",
) -> Iterator[str]:
    """The lines of the table, headings first. `width` None never cuts; `right` says which columns are numbers.

    `whole` says which are only readable uncut: those of `right` unless given.
    """
    stream = iter(rows)
    measured = list(islice(stream, MEASURED))
    widths = [max(map(width_of, cells)) for cells in zip(headings, *measured, strict=True)]
    widths = _fit(widths, right if whole is None else whole, width)
    line = _line(headings, widths, right, mark)
    yield f"{BOLD}{line}{RESET}" if color else line
    for row in chain(measured, stream):
        yield _line(row, widths, right, mark, color=color)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], mark: str, *, color: bool = False) -> str:
    parts = []
    for cell, width, is_right in zip(cells, widths, right, strict=True):
        text = shorten(cell, width, mark)
        padding = " " * (width - width_of(text))
        shown = _colored(text) if color else text
        parts.append(padding + shown if is_right else shown + padding)
    return GAP.join(parts).rstrip()


def _colored(word: str) -> str:
    for code, words in COLORS.items():
        if word in words:
            return f"{code}{word}{RESET}"
    return word


def _fit(widths: Sequence[int], whole: Sequence[bool], total: int | None) -> list[int]:
    """Take from the widest text column until the line fits, but leave each a readable rest."""
    fitted = list(widths)
    if total is None:
        return fitted
    excess = sum(fitted) + len(GAP) * (len(fitted) - 1) - total
    while excess > 0:
        texts = [at for at, is_whole in enumerate(whole) if not is_whole and fitted[at] > SHORTEST]
        if not texts:
            break
        widest = max(texts, key=lambda at: fitted[at])
        fitted[widest] -= 1
        excess -= 1
    return fitted


def _prefix(text: str, width: int) -> str:
    taken, used = [], 0
    for char in text:
        used += width_of(char)
        if used > width:
            break
        taken.append(char)
    return "".join(taken)
