"""The zygotes of one worker: which parsers have one, when they are started, and when they go."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casparian_flow.guest.section import clean
from casparian_flow.protocol.messages import Limits, ParserOrder
from casparian_flow.worker.environment import site_paths
from casparian_flow.worker.spare import Spare
from casparian_flow.worker.zygote import Forked, Zygote, ZygoteLost

MOST = 4
"""Zygotes at a time: each keeps about 50 MB."""
IDLE_SECONDS = 30.0
"""After so long without a guest a zygote ends."""
WARM_SECONDS = 30.0
"""Within this time a zygote has imported its parser."""
PATIENCE_SECONDS = 1.0
"""So long a guest waits for a zygote that gets warm: what a fresh process of its own would take for most parsers."""
SEEN_BEFORE = 1
"""So many guests of a parser are fresh processes before it gets a zygote: most commands need no more."""
LOSSES = 3
"""So many zygotes of a parser may be lost before its guests are fresh processes for good."""
_TIDY_SECONDS = 5.0
_MOST_WHY = 200
"""Most letters of a reason: it may come from the parser, and stands in every receipt."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a zygote has in common with all of its guests: nothing else of an order is known to it."""

    path: str
    artifact_hash: str
    env_hash: str
    requires: tuple[str, ...]
    limits: tuple[int, int, int, int]


@dataclass(slots=True)
class _Warm:
    """A zygote that may be forked; when it was last, and for how many that are not yet its guests."""

    zygote: Zygote
    used: float
    forking: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether nobody needs it now."""
        return not self.forking and self.zygote.is_idle


class Zygotes:
    """Copies of warm processes for the guests of one worker, where a copy is as good as a fresh process.

    Nobody waits long for a zygote to get warm: until it is, and where it cannot be, guests are fresh processes. One
    thread starts all zygotes and ends those that nobody needs; every method may be called from any thread.
    """

    def __init__(self, within: Path | None = None, spare: Spare | None = None) -> None:
        """`within` is where zygotes get their folders; `spare` is closed by whoever made it."""
        self.spare = spare or Spare()
        self._within = within
        self._lock = threading.Condition()
        self._warm: dict[Key, _Warm] = {}
        self._leaving: list[Zygote] = []
        self._starting: Zygote | None = None
        self._seen: Counter[Key] = Counter()
        self._losses: Counter[Key] = Counter()
        self._wanted: queue.SimpleQueue[Key | None] = queue.SimpleQueue()
        self._asked_for: set[Key] = set()
        self._refused: dict[Key, str] = {}
        self._slow: set[Key] = set()
        self._is_closed = not can_fork()
        self._thread: threading.Thread | None = None

    def fork(self, parser: ParserOrder, limits: Limits, descriptors: Sequence[int]) -> Forked | None:
        """A copy of the parser's zygote with these descriptors, or None: then it has to be a fresh process."""
        key = _key(parser, limits)
        if (warm := self._take(key)) is None:
            return None
        try:
            return warm.zygote.fork(descriptors)
        except ZygoteLost as lost:
            self._lose(key, warm, str(lost))
            return None
        finally:
            with self._lock:
                warm.forking -= 1

    def has(self, parser: ParserOrder, limits: Limits) -> bool:
        """Whether the parser has a zygote that is warm."""
        with self._lock:
            return _key(parser, limits) in self._warm

    def why_not(self, parser: ParserOrder, limits: Limits) -> str:
        """Why guests of this parser are never forked; empty as long as they may be."""
        with self._lock:
            return self._refused.get(_key(parser, limits), "")

    def refuse(self, parser: ParserOrder, limits: Limits, why: str) -> None:
        """From now on guests of this parser are fresh processes."""
        with self._lock:
            self._refuse(_key(parser, limits), why)

    def call_slow(self, parser: ParserOrder, limits: Limits) -> None:
        """A fresh process of this parser takes its time too until it gives something."""
        with self._lock:
            self._slow.add(_key(parser, limits))

    def is_slow(self, parser: ParserOrder, limits: Limits) -> bool:
        """Whether the silence of a copy says nothing about forking."""
        with self._lock:
            return _key(parser, limits) in self._slow

    def close(self) -> None:
        """End every zygote, with the guests it may have; nothing is forked afterwards."""
        with self._lock:
            self._is_closed = True
            self._lock.notify_all()
            if self._starting is not None:
                self._starting.kill()
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join()
        for zygote in [*(warm.zygote for warm in self._warm.values()), *self._leaving]:
            zygote.end()
        self._warm.clear()
        self._leaving.clear()

    def _take(self, key: Key) -> _Warm | None:
        """The zygote, held until the caller has forked it; if there is none yet but should be, it is asked for."""
        with self._lock:
            if key not in self._warm and not self._is_closed and key not in self._refused:
                self._seen[key] += 1
                if self._seen[key] > SEEN_BEFORE:
                    self._ask_for(key)
                    self._lock.wait_for(lambda: self._is_closed or key not in self._asked_for, PATIENCE_SECONDS)
            if (warm := self._warm.get(key)) is None or self._is_closed:
                return None
            warm.used = time.monotonic()
            warm.forking += 1
            return warm

    def _ask_for(self, key: Key) -> None:
        if key in self._asked_for:
            return
        self._asked_for.add(key)
        self._wanted.put(key)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="zygotes", daemon=True)
            self._thread.start()

    def _lose(self, key: Key, warm: _Warm, why: str) -> None:
        """It forks no more, though guests of it may still be at work; another one may follow."""
        with self._lock:
            if self._warm.get(key) is warm:
                del self._warm[key]
                self._leaving.append(warm.zygote)
                self._count_loss(key, why)

    def _count_loss(self, key: Key, why: str) -> None:
        self._losses[key] += 1
        if self._losses[key] >= LOSSES:
            self._refuse(key, why)

    def _refuse(self, key: Key, why: str) -> None:
        self._refused[key] = clean(why[:_MOST_WHY])
        if (warm := self._warm.pop(key, None)) is not None:
            self._leaving.append(warm.zygote)

    def _work(self) -> None:
        while True:
            try:
                key = self._wanted.get(timeout=_TIDY_SECONDS)
            except queue.Empty:
                self._tidy()
                continue
            if key is None:
                return
            self._tidy()
            if not self._is_closed and self._has_room():
                self._start(key)
            with self._lock:
                self._asked_for.discard(key)
                self._lock.notify_all()

    def _tidy(self) -> None:
        """End those that are of no use any more."""
        long_ago = time.monotonic() - IDLE_SECONDS
        with self._lock:
            idle = [key for key, warm in self._warm.items() if warm.is_idle and warm.used < long_ago]
            self._leaving += [self._warm.pop(key).zygote for key in idle]
            over = [zygote for zygote in self._leaving if zygote.is_idle]
            self._leaving = [zygote for zygote in self._leaving if not zygote.is_idle]
        for zygote in over:
            zygote.end()

    def _has_room(self) -> bool:
        """Whether there may be one more, if need be in place of the one that has been idle for longest."""
        with self._lock:
            if len(self._warm) < MOST:
                return True
            idle = [key for key, warm in self._warm.items() if warm.is_idle]
            if not idle:
                return False
            oldest = self._warm.pop(min(idle, key=lambda key: self._warm[key].used))
        oldest.zygote.end()
        return True

    def _start(self, key: Key) -> None:
        try:
            zygote = Zygote(_order(key), self._within)
        except OSError as exc:  # which says something about this machine and this moment, nothing about the parser
            with self._lock:
                self._count_loss(key, f"processes to copy could not be started: {exc}")
            return
        with self._lock:
            self._starting = zygote
            if self._is_closed:
                zygote.kill()
        try:
            why = zygote.warm(WARM_SECONDS)
        except ZygoteLost as lost:
            why = f"its process was lost during its imports: {lost}"
        self._settle(key, zygote, why)

    def _settle(self, key: Key, zygote: Zygote, why: str) -> None:
        """It is warm, or will never be."""
        with self._lock:
            self._starting = None
            if not why:
                self._warm[key] = _Warm(zygote, time.monotonic())
                return
            self._refuse(key, why)
        zygote.end()


def can_fork() -> bool:
    """Whether this system has what zygotes need: fork, a death that follows the host's, and handles of processes."""
    return sys.platform == "linux" and hasattr(os, "fork") and hasattr(os, "pidfd_open")


def _key(parser: ParserOrder, limits: Limits) -> Key:
    return Key(
        path=parser.path,
        artifact_hash=parser.artifact_hash,
        env_hash=parser.env_hash,
        requires=tuple(parser.requires),
        limits=(limits.memory_bytes, limits.cpu_seconds, limits.open_files, limits.scratch_bytes),
    )


def _order(key: Key) -> dict[str, Any]:
    names = ("memory_bytes", "cpu_seconds", "open_files", "scratch_bytes")
    return {
        "parser": {"path": key.path, "requires": key.requires},
        "limits": dict(zip(names, key.limits, strict=True)),
        "site": site_paths(),
    }
