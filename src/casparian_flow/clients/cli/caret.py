"""A record on one line with a caret under its fault."""

from __future__ import annotations

from collections.abc import Iterator

from casparian_flow.clients.cli.render import GLYPHS, Paper, plain
from casparian_flow.clients.cli.table import width_of

INDENT = "  "
LONGEST = 400
"""Columns of a record on a screen that does not say how wide it is."""


def caret_lines(paper: Paper, text: str, start: int | None, end: int | None) -> Iterator[str]:
    """The text made inert, as much of it as fits around the fault, and below it what points there.

    `start` and `end` are characters of the text; a fault between two of them is one caret.
    """
    mark = paper.mark
    room = max((paper.width or LONGEST) - len(INDENT), 3 * len(mark) + 1)
    shown = [plain(char).translate(GLYPHS) if paper.is_ascii else plain(char) for char in text]
    at = min(start or 0, len(shown))
    first, last = _window([width_of(each) for each in shown], at, room - 2 * len(mark))
    head, tail = mark if first else "", mark if last < len(shown) else ""
    yield f"{INDENT}{head}{''.join(shown[first:last])}{tail}".rstrip() or INDENT.rstrip()
    if start is None:
        return
    before = width_of(head + "".join(shown[first:at]))
    under = width_of("".join(shown[at : min(end or at, last)]))
    yield f"{INDENT}{' ' * before}{'^' * max(under, 1)}"


def _window(widths: list[int], at: int, room: int) -> tuple[int, int]:
    """Which characters fit: all, or those around the one at `at`, of which a third of the room stands before it."""
    if sum(widths) <= room:
        return 0, len(widths)
    first, taken = at, 0
    while first and taken + widths[first - 1] <= room // 3:
        first -= 1
        taken += widths[first]
    last = first
    taken = 0
    while last < len(widths) and taken + widths[last] <= room:
        taken += widths[last]
        last += 1
    while first and taken + widths[first - 1] <= room:
        first -= 1
        taken += widths[first]
    return first, last
