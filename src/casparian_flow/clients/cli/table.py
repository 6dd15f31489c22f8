"""Draws rows as aligned columns that fit the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import chain, islice

MEASURED = 200
"""Rows that are looked at for the widths; later ones are cut to fit."""
GAP = "  "
SHORTEST = 8
LEGIBLE = 2 * SHORTEST
"""So much of a text should be left before another column has to go."""
BOLD, RESET = "\x1b[1m", "\x1b[0m"
COLORS = {
    "\x1b[32m": {"done", "completed", "ok", "applied", "active"},
    "\x1b[33m": {"quarantined", "skipped", "warn", "proposed", "pending", "open", "rejected"},
    "\x1b[31m": {"failed", "missing", "fail", "revoked", "aborted"},
}


class Room(Enum):
    """What becomes of a column where the table is wider than the terminal."""

    DROPPED = "dropped"
    """It is left out where little of others would be left, the last such column first."""
    CUT = "cut"
    KEPT = "kept"
    """It is read or copied: cut when nothing else can be."""
    WHOLE = "whole"
    """It is only readable uncut."""


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
    rooms: Sequence[Room] | None = None,
    width: int | None,
    color: bool = False,
    mark: str = "…",
) -> Iterator[str]:
    """The lines of the table, headings first. `width` None never cuts; `right` says which columns are numbers.

    Numbers are never cut and texts are, unless `rooms` says what becomes of each column.
    """
    stream = iter(rows)
    measured = list(islice(stream, MEASURED))
    widths = [max(map(width_of, cells)) for cells in zip(headings, *measured, strict=True)]
    rooms = [Room.WHOLE if is_right else Room.CUT for is_right in right] if rooms is None else rooms
    shown = _shown(widths, rooms, width)
    widths = _fit([widths[at] for at in shown], [rooms[at] for at in shown], width)
    sides = [right[at] for at in shown]
    line = _line([headings[at] for at in shown], widths, sides, mark)
    yield f"{BOLD}{line}{RESET}" if color else line
    for row in chain(measured, stream):
        yield _line([row[at] for at in shown], widths, sides, mark, color=color)


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


def _shown(widths: Sequence[int], rooms: Sequence[Room], total: int | None) -> list[int]:
    """Which columns there is room for, if of each text that may be cut a legible rest is left."""
    shown = list(range(len(widths)))
    if total is None:
        return shown
    least = [
        width if room in (Room.KEPT, Room.WHOLE) else min(width, LEGIBLE)
        for width, room in zip(widths, rooms, strict=True)
    ]
    for at in reversed([at for at, room in enumerate(rooms) if room is Room.DROPPED]):
        if sum(least[each] for each in shown) + len(GAP) * (len(shown) - 1) <= total:
            break
        shown.remove(at)
    return shown


def _fit(widths: Sequence[int], rooms: Sequence[Room], total: int | None) -> list[int]:
    """Take from the widest text column until the line fits, but leave each a readable rest; from what is kept last."""
    fitted = list(widths)
    if total is None:
        return fitted
    excess = sum(fitted) + len(GAP) * (len(fitted) - 1) - total
    for some in ((Room.CUT, Room.DROPPED), (Room.KEPT,)):
        while excess > 0:
            texts = [at for at, room in enumerate(rooms) if room in some and fitted[at] > SHORTEST]
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
