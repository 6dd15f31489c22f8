"""Keeps the watches of a service going: a thread for each, none of which can stop another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from casparian_flow.core.errors import CasparianError, NotFound
from casparian_flow.operations.registry import Request
from casparian_flow.operations.source.watches import (
    ListWatches,
    LookAgain,
    LookedAgain,
    OpenedWatch,
    OpenWatch,
    WatchList,
    WatchPart,
)
from casparian_flow.scout.hints import Hints, NoHints, Root, SystemHints
from casparian_flow.scout.watch import LONGEST_BACK_OFF, Parts, Timing
from casparian_flow.sentinel.watching import Looked, WatchLoop

Ask = Callable[[str, Request], Any]
"""Performs an operation of the home, from any thread, one acting one at a time."""
Tell = Callable[[str, dict[str, object]], None]
"""Takes an event, from any thread; what it says of a watch has `watch` in its values."""


class WatchService:
    """The watches in the store, as threads of this process. Its methods may be called from any thread.

    Call `refresh` whenever `watch.add` or `watch.remove` was answered.
    """

    def __init__(self, ask: Ask, tell: Tell, deaf: Sequence[bytes] = ()) -> None:
        """`deaf` are real paths whose changes are Casparian's own: the home."""
        self._ask = ask
        self._tell = tell
        self._deaf = deaf
        self._lock = threading.Lock()
        self._running: dict[int, tuple[threading.Thread, threading.Event]] = {}
        self._is_stopped = False

    def start(self) -> None:
        """Go on with every watch that is kept."""
        self.refresh()

    def refresh(self) -> None:
        """Start the watches that are new, and end those that were removed after the round they are in."""
        listed: WatchList = self._ask("watch.list", ListWatches())
        wanted = {each.watch for each in listed.watches}
        with self._lock:
            if self._is_stopped:
                return
            for watch in self._running.keys() - wanted:
                self._running.pop(watch)[1].set()
            for watch in wanted - self._running.keys():
                stop = threading.Event()
                thread = threading.Thread(target=self._keep, args=(watch, stop), name=f"watch-{watch}", daemon=True)
                self._running[watch] = thread, stop
                thread.start()

    def stop(self, seconds: float = 30.0) -> bool:
        """End all watches, each after the round it is in; false if one still was in it after so long."""
        with self._lock:
            self._is_stopped = True
            running = list(self._running.values())
            self._running = {}
        for _, stop in running:
            stop.set()
        until = time.monotonic() + seconds
        for thread, _ in running:
            thread.join(max(until - time.monotonic(), 0))
        return not any(thread.is_alive() for thread, _ in running)

    def _keep(self, watch: int, stop: threading.Event) -> None:
        """Watch until told to stop; whatever goes wrong is told, and tried again later."""
        back_off = 1.0
        while not stop.is_set():
            one = _Watch(watch, self._ask, self._tell)
            try:
                one.run(stop, self._deaf)
            except NotFound as exc:
                if not self._is_kept(watch):
                    return
                self._say(watch, exc.message, back_off)
            except CasparianError as exc:
                self._say(watch, exc.message, back_off)
            except Exception as exc:  # a fault of ours must not end a watch without a word
                self._say(watch, f"{type(exc).__name__}: {exc}", back_off)
            back_off = 1.0 if one.rounds else min(back_off * 2, LONGEST_BACK_OFF)
            stop.wait(back_off)

    def _is_kept(self, watch: int) -> bool:
        with self._lock:
            return watch in self._running

    def _say(self, watch: int, why: str, seconds: float) -> None:
        self._tell("watch.failed", {"watch": watch, "why": why, "seconds": seconds})


class _Watch:
    """One watch from its start to its end or its first error."""

    def __init__(self, watch: int, ask: Ask, tell: Tell) -> None:
        self._watch = watch
        self._ask = ask
        self._report = tell
        self._sources: tuple[int, ...] = ()
        self.rounds = 0

    def run(self, stop: threading.Event, deaf: Sequence[bytes]) -> None:
        """Look and wait until told to stop."""
        opened: OpenedWatch = self._ask("watch.open", OpenWatch(watch=self._watch))
        roots = {root.source: Root(root.path, root.only) for root in opened.roots}
        self._sources = tuple(roots)
        timing = Timing(settle=opened.settle_seconds, reconcile=opened.reconcile_seconds)
        hints: Hints = SystemHints(deaf) if opened.is_hinted else NoHints("watch.hints is none")
        WatchLoop(roots, timing, self._look, hints, self._tell).run(stop)

    def _look(self, parts: Parts, plans_anyway: bool) -> Looked:
        asked = LookAgain(
            watch=self._watch,
            sources=self._sources,
            parts=tuple(WatchPart(source=source, paths=paths) for source, paths in parts.items()),
            rounds=self.rounds,
            plans_anyway=plans_anyway,
        )
        reply: LookedAgain = self._ask("watch.look", asked)
        self.rounds = reply.rounds
        waiting: dict[int, dict[bytes, float]] = {}
        for each in reply.growing:
            waiting.setdefault(each.source, {})[each.path] = each.seconds
        return Looked(waiting=waiting, took=reply.took, is_unfinished=reply.is_unfinished)

    def _tell(self, event: str, values: dict[str, object]) -> None:
        self._report(event, {**values, "watch": self._watch})
