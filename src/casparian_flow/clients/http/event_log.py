"""What happened lately, numbered, for whoever watches: bounded, and safe to write to from any thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import msgspec

MOST_EVENTS = 10_000
MOST_BYTES = 16 << 20
LARGEST_EVENT = 64 << 10
"""Of one that holds more, only what it is about is kept."""
ABOUT = ("job", "plan", "watch")
IDS = ("job", "plan")
"""Told as text, as in every answer: readers of JSON round numbers of that size."""
_encoder = msgspec.json.Encoder(enc_hook=str)


@dataclass(frozen=True, slots=True)
class Happened:
    """One event. `values` is JSON; `job` and `plan` are what it is about, where it is about one."""

    seq: int
    event: str
    values: bytes
    job: str | None
    plan: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, and the number after which to go on. `is_gap`: some before them are gone already."""

    events: list[Happened]
    last: int
    is_gap: bool


@dataclass(slots=True, eq=False)
class Watcher:
    """Somebody who is woken once when something happened since they last read."""

    wake: Callable[[], None]
    is_woken: bool = field(default=False)


class EventLog:
    """A ring of events. Its `append` can be given to whatever reports progress."""

    def __init__(self, incarnation: str, *, most: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self.incarnation = incarnation
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._ring: deque[Happened] = deque()
        self._bytes = 0
        self._last = 0
        self._watchers: set[Watcher] = set()

    def append(self, event: str, values: Mapping[str, object]) -> None:
        """Keep one event and wake everybody who watches. It never waits for any of them."""
        ids = {name: None if values[name] is None else str(values[name]) for name in IDS if name in values}
        values = {**values, **ids}
        encoded = _encoder.encode(values)
        if len(encoded) > LARGEST_EVENT:
            encoded = _encoder.encode({"is_cut": True, **{key: values[key] for key in ABOUT if key in values}})
        with self._lock:
            self._last += 1
            self._ring.append(Happened(self._last, event, encoded, ids.get("job"), ids.get("plan")))
            self._bytes += len(encoded)
            while len(self._ring) > self._most or self._bytes > self._most_bytes:
                self._bytes -= len(self._ring.popleft().values)
        self.nudge()

    def nudge(self) -> None:
        """Wake everybody who watches, so that they look again."""
        with self._lock:
            sleeping = [watcher for watcher in self._watchers if not watcher.is_woken]
            for watcher in sleeping:
                watcher.is_woken = True
        for watcher in sleeping:
            watcher.wake()

    @property
    def last(self) -> int:
        """The number of the newest event, 0 while nothing happened."""
        return self._last

    def read(self, after: int, limit: int) -> Page:
        """At most so many of the events that came after that number."""
        with self._lock:
            first = self._ring[0].seq if self._ring else self._last + 1
            skipped = max(after + 1 - first, 0)
            events = list(islice(self._ring, skipped, skipped + limit))
        return Page(events, events[-1].seq if events else max(after, first - 1), is_gap=after + 1 < first)

    def watch(self, wake: Callable[[], None]) -> Watcher:
        """Have `wake` called, in any thread, when something happens."""
        watcher = Watcher(wake)
        with self._lock:
            self._watchers.add(watcher)
        return watcher

    def about_to_read(self, watcher: Watcher) -> None:
        """What happens from now on wakes the watcher again; called before reading, so that nothing is missed."""
        with self._lock:
            watcher.is_woken = False

    def leave(self, watcher: Watcher) -> None:
        """Wake that watcher no more."""
        with self._lock:
            self._watchers.discard(watcher)
