"""Looks at watched sources whenever it is time, and goes on whatever happens to one look."""

# Paths are bytes, which pathlib does not take.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.files import display_path
from casparian_flow.scout.hints import Hints, Root
from casparian_flow.scout.watch import Parts, Timing, Watcher


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look brought for the next ones.

    By source, `waiting` are the paths that still grow with the seconds until they are to be seen again, and `took` is
    what looking itself took. With `is_unfinished` something may end otherwise if it is tried again.
    """

    waiting: Mapping[int, Mapping[bytes, float]] = field(default_factory=dict)
    took: Mapping[int, float] = field(default_factory=dict)
    is_unfinished: bool = False


Look = Callable[[Parts, bool], Looked]
"""Looks at parts; true where everything is to be planned again, even if nothing changed."""
Tell = Callable[[str, dict[str, object]], None]


class WatchLoop:
    """Watches folders until it is stopped. One loop knows nothing of another."""

    def __init__(
        self,
        roots: Mapping[int, Root],
        timing: Timing,
        look: Look,
        hints: Hints,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._roots = dict(roots)
        self._look = look
        self._hints = hints
        self._tell = tell
        self._clock = clock
        self._watcher = Watcher(roots, timing, clock())
        self._known: dict[int, tuple[int, int]] = {}
        self._away: set[int] = set()
        self._silent: dict[int, str] = {}
        self._is_unfinished = True
        self.rounds = 0

    def run(self, stop: threading.Event, until: float = float("inf")) -> None:
        """Look and wait until it is to stop, or until the clock says `until`.

        The first look's errors are the caller's, since they are about what was asked for; later ones are told, and
        tried again after a while.
        """
        try:
            self._listen()
            while not stop.is_set() and self._clock() < until:
                self._round()
                wait = min(self._watcher.due_at(), until) - self._clock()
                if wait > 0:
                    self._hear(wait, stop)
        finally:
            self._hints.close()

    def _round(self) -> None:
        parts = self._present(self._watcher.take(self._clock()))
        if not parts:
            return
        is_whole = None in parts.values()
        try:
            looked = self._look(parts, is_whole and self._is_unfinished)
        except (CasparianError, OSError) as exc:
            if not self.rounds:
                raise
            again = max(self._watcher.failed(source, self._clock()) for source in parts)
            why = exc.message if isinstance(exc, CasparianError) else str(exc)
            self._tell("watch.failed", {"why": why, "seconds": round(again - self._clock(), 1)})
            return
        self.rounds += 1
        self._is_unfinished = looked.is_unfinished
        now = self._clock()
        for source, paths in parts.items():
            waiting = {path: now + seconds for path, seconds in looked.waiting.get(source, {}).items()}
            took = looked.took.get(source, 0.0)
            self._watcher.looked(source, was_all=paths is None, took=took, waiting=waiting, now=now)

    def _hear(self, seconds: float, stop: threading.Event) -> None:
        heard = self._hints.wait(seconds, stop)
        now = self._clock()
        for source, path in heard.changed:
            self._watcher.changed(source, path, now)
        if heard.is_lossy:
            for source in self._roots:
                self._watcher.lost(source, now)

    def _listen(self) -> None:
        """Listen anew: to folders that came back, and no longer to what is no source's folder any more."""
        self._hints.open(self._roots)
        now = self._clock()
        for source, root in self._roots.items():
            reason = self._hints.silent.get(source)
            self._watcher.hinted(source, now, is_hinted=reason is None)
            if reason is not None and self._silent.get(source) != reason:
                self._tell("watch.polls", {"source": display_path(root.path), "why": reason})
        self._silent = dict(self._hints.silent)

    def _present(self, parts: Parts) -> Parts:
        """The parts whose folders are there, so that an unmounted disk is not taken for an emptied one."""
        here: Parts = {}
        has_moved = False
        for source, paths in parts.items():
            root = self._roots[source]
            found = _identity(root.path)
            before = self._known.get(source)
            if found is None or (before is not None and found[0] != before[0] and _is_empty(root.path)):
                self._watcher.failed(source, self._clock())
                if source not in self._away:
                    self._away.add(source)
                    self._tell("watch.away", {"source": display_path(root.path)})
                continue
            is_new = before not in (None, found)
            if source in self._away:
                self._away.discard(source)
                self._tell("watch.back", {"source": display_path(root.path)})
                is_new = True
            has_moved = has_moved or is_new
            self._known[source] = found
            here[source] = None if is_new else paths
        if has_moved:
            self._listen()
        return here


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def _is_empty(path: bytes) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return True
