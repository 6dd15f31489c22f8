"""How many files of a parser one order takes: as many as it reads within a few seconds, by what it took lately."""

from __future__ import annotations

import math

GROUP_FILES = 120
GROUP_SECONDS = 2.5
"""An order costs a copy of a process and what its parser does first, about 0.05 s of CPU: two per cent of that."""
_NEWEST = 0.3
"""How much the newest file says about the pace, beside all before it."""


class Pace:
    """By the ids that parsers have in the store."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._given: dict[int, int] = {}

    def took(self, parser: int, seconds: float) -> None:
        """A file of that parser took so long; what no clock can say is passed over."""
        if not 0.0 <= seconds < math.inf:
            return
        known = self._seconds.get(parser, seconds)
        self._seconds[parser] = known + _NEWEST * (seconds - known)

    def files(self, parser: int, *, shares_process: bool) -> int:
        """How many files the next order may have; at least one.

        As long as nothing is known, a parser that shares its process, as those do that read small files quickly, has
        them all, and another one twice as many as in its order before.
        """
        if (seconds := self._seconds.get(parser)) is not None:
            return max(1, min(GROUP_FILES, int(GROUP_SECONDS / max(seconds, 1e-3))))
        if shares_process:
            return GROUP_FILES
        self._given[parser] = min(GROUP_FILES, 2 * self._given.get(parser, 0) or 1)
        return self._given[parser]
