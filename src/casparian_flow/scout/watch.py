"""When to look at which part of watched sources: hints, a clock and costs in, decisions out; it touches no file.

Hints may be lost, late, repeated or wrong: every source is looked at as a whole now and then, and only that counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Parts = dict[int, tuple[bytes, ...] | None]
"""What to look at: by source its paths, without any that lies in another, or None for all of it."""

MOST = 1_000
"""Paths remembered for one source; of more, their folders are."""
GATHER = 0.2
"""Hints that come together are looked at together."""
SHARE = 0.05
"""The part of one core that looking at everything may take while nothing happens."""
PACE = 4
"""Looks leave this many times their own length free between them, however much happens."""
POLL = 1.0
"""Without hints everything is looked at so often, or at the settle time if that is longer."""
LONGEST_BACK_OFF = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds: how long a file must hold still, and how often everything is looked at where hints come."""

    settle: float
    reconcile: float


@dataclass(slots=True)
class _Source:
    """What is to be done about one source."""

    reconcile_at: float
    changed: set[bytes] = field(default_factory=set)
    is_everything: bool = True
    since: float = math.inf
    """When the first of the hints came that were not looked at yet."""
    waiting: dict[bytes, float] = field(default_factory=dict)
    """When each file that still grows is looked at again."""
    is_hinted: bool = True
    cost: float = 0.0
    """What the last look at everything took."""
    failures: int = 0
    not_before: float = -math.inf

    def due_at(self) -> float:
        """When something is to be looked at."""
        gathered = self.since + GATHER
        wanted = min(self.reconcile_at, gathered, min(self.waiting.values(), default=math.inf))
        return max(wanted, self.not_before)


class Watcher:
    """Decides when to look. All times are seconds of one clock that never goes back."""

    def __init__(self, sources: Iterable[int], timing: Timing, now: float) -> None:
        """Everything is due at once: whatever happened while nobody watched is found by the first look."""
        self._timing = timing
        self._sources = {source: _Source(reconcile_at=now) for source in sources}

    def changed(self, source: int, path: bytes, now: float) -> None:
        """Something may have happened at a path, relative to its source; an empty path is the source itself."""
        at = self._sources[source]
        if path in at.waiting:
            return  # it grows, which is known, and when it is looked at again is settled
        at.since = min(at.since, now)
        if not path:
            at.is_everything = True
        elif not at.is_everything:
            at.changed.add(path)
            if len(at.changed) > MOST:
                at.changed = _folders(at.changed)
        if at.is_everything or b"" in at.changed:
            at.is_everything, at.changed = True, set()

    def lost(self, source: int, now: float) -> None:
        """Hints were lost, or may have been: anything may have happened."""
        self.changed(source, b"", now)

    def hinted(self, source: int, now: float, *, is_hinted: bool) -> None:
        """Say whether hints come for a source; where none do, everything is looked at more often."""
        at = self._sources[source]
        if at.is_hinted != is_hinted:
            at.is_hinted = is_hinted
            at.reconcile_at = min(at.reconcile_at, now + self._interval(at))

    def due_at(self) -> float:
        """When `take` will have something to give, if nothing happens before."""
        return min(at.due_at() for at in self._sources.values())

    def take(self, now: float) -> Parts:
        """What is to be looked at now; whoever takes it says with `looked` or `failed` what came of it."""
        taken: Parts = {}
        for source, at in self._sources.items():
            if at.due_at() > now:
                continue
            has_hints = at.since <= now
            if at.reconcile_at <= now or (has_hints and at.is_everything):
                taken[source] = None
            else:
                settled = {path for path, due in at.waiting.items() if due <= now}
                taken[source] = _outermost(settled | (at.changed if has_hints else set()))
            at.changed, at.is_everything, at.since = set(), False, math.inf
        return taken

    def looked(self, source: int, *, was_all: bool, took: float, waiting: Mapping[bytes, float], now: float) -> None:
        """A look at a source is over; `waiting` are the moments at which the files that grow are to be seen again.

        Where more files grow than are remembered, all of the source is looked at when the first of them is due.
        """
        at = self._sources[source]
        at.failures = 0
        at.not_before = now + PACE * took
        if was_all:
            at.cost = took
            at.reconcile_at = now + self._interval(at)
        at.waiting = dict(waiting)
        if len(at.waiting) > MOST:
            at.reconcile_at = min(at.reconcile_at, *at.waiting.values())
            at.waiting = {}

    def failed(self, source: int, now: float) -> float:
        """A look could not be taken; when it is tried again, each time later."""
        at = self._sources[source]
        at.not_before = now + min(2.0**at.failures, LONGEST_BACK_OFF)
        at.failures += 1
        at.reconcile_at = now
        return at.not_before

    def _interval(self, at: _Source) -> float:
        usual = self._timing.reconcile if at.is_hinted else max(POLL, self._timing.settle)
        return max(usual, at.cost / SHARE)


def _folders(paths: set[bytes]) -> set[bytes]:
    """Fewer paths that cover all of these, at most half as many as are remembered; the empty one is everything."""
    while len(paths) > MOST // 2:
        deepest = max(path.count(b"/") for path in paths)
        paths = {path.rpartition(b"/")[0] if path.count(b"/") == deepest else path for path in paths}
        if b"" in paths:
            return {b""}
    return paths


def _outermost(paths: Iterable[bytes]) -> tuple[bytes, ...]:
    kept: list[bytes] = []
    for path in sorted(paths, key=lambda path: path + b"/"):
        if not kept or (not path.startswith(kept[-1] + b"/") and path != kept[-1]):
            kept.append(path)
    return tuple(kept)
