"""The shape that every benchmark has: a name, bars, and rows of figures of ours beside a peer's."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Unit:
    """What figures count."""

    name: str
    more_is_better: bool


FILES = Unit("files/s", more_is_better=True)
MEGABYTES = Unit("MB/s", more_is_better=True)
ROWS = Unit("rows/s", more_is_better=True)
MILLISECONDS = Unit("ms", more_is_better=False)
MEMORY = Unit("MB", more_is_better=False)
CYCLES = Unit("jobs/s", more_is_better=True)
REQUESTS = Unit("requests/s", more_is_better=True)
PERCENT = Unit("% of a core", more_is_better=False)
PER_CELL = Unit("ns/cell", more_is_better=False)
CELLS = Unit("cells", more_is_better=True)


@dataclass(frozen=True)
class Figure:
    """Repeated measurements of one side."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """The figure that counts."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Bar:
    """What the design asks for, in its words: of our own figure, or of its ratio to the peer's."""

    name: str
    limit: float
    of_ratio: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table: our figure, the peer's from the same rounds, and the bar."""

    what: str
    unit: Unit
    ours: Figure
    peer_name: str
    peer: Figure | None
    """None where the peer cannot be had here."""
    bar: Bar | None = None
    why: str = ""
    """Why there is no peer."""

    @property
    def ratio(self) -> float | None:
        """How well we do for each 1 of the peer: 0.5 is half as fast, or twice the cost. None without a peer."""
        if self.peer is None:
            return None
        ours, peer = self.ours.median, self.peer.median
        if not ours or not peer:  # less than the clock can tell
            return 1.0
        return ours / peer if self.unit.more_is_better else peer / ours

    @property
    def passes(self) -> bool | None:
        """Whether the bar is met; None where there is none, or no peer to tell it by."""
        if self.bar is None:
            return None
        if self.bar.of_ratio:
            return None if self.ratio is None else self.ratio >= self.bar.limit
        ours = self.ours.median
        return ours >= self.bar.limit if self.unit.more_is_better else ours <= self.bar.limit

    @property
    def bar_text(self) -> str:
        """The bar in words; empty where there is none."""
        if self.bar is None:
            return ""
        if self.bar.of_ratio:
            return f"≥ {self.bar.limit:g} of {self.peer_name}"
        return f"{'≥' if self.unit.more_is_better else '≤'} {self.bar.limit:,.0f} {self.unit.name}"


@dataclass(frozen=True)
class Bench:
    """What a benchmark is given: a folder of its own, and how much to do."""

    folder: Path
    is_quick: bool
    rounds: int
    """How often each side is measured."""
    warms_up: bool
    """Whether one more round comes first, which does not count."""
    large_mb: int
    """The size of a large file."""

    def once(self) -> Bench:
        """The same with one round, for what takes minutes and hardly varies."""
        return replace(self, rounds=1, warms_up=False)

    def pick(self, quick: T, full: T) -> T:
        """A size: the small one with `--quick`."""
        return quick if self.is_quick else full


@dataclass(frozen=True)
class Benchmark:
    """One benchmark; its file says what it is for."""

    name: str
    footing: str
    """What each side does, and from where to where it is measured."""
    measure: Callable[[Bench], Iterable[Row]]
    bars: Sequence[Bar] = ()
    """The bars that its rows have, at least one row for each."""
