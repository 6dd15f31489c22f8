"""The main thread of a sentinel: it brings the parts up, waits for signals, and takes the parts down in order."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from casparian_flow import logs
from casparian_flow.clients.service.local_workers import LocalWorkers
from casparian_flow.clients.service.notify import Manager
from casparian_flow.core.errors import CasparianError, InvariantBroken

TURN_SECONDS = 0.25
LOOK_SECONDS = 1.0
DRAIN_SECONDS = 600.0
"""How long a sentinel that was told to end waits for what workers hold, unless it was told otherwise."""
GRACE_SECONDS = 10.0
"""How long workers have to give back what they hold before they are killed."""

log = logs.get_log(__name__)


class Asked(StrEnum):
    """What somebody outside wants of the process."""

    DRAIN = "drain"
    STOP = "stop"
    RELOAD = "reload"


class Engine(Protocol):
    """What a process runs: the sentinel and its API, already up."""

    def begin_drain(self) -> None:
        """Give out nothing more."""

    @property
    def is_idle(self) -> bool:
        """Whether no worker has anything in hand."""

    @property
    def failure(self) -> BaseException | None:
        """What ended a part that should still run; None while all of them do."""

    def look(self) -> None:
        """Ask the sentinel for a sign of life."""

    @property
    def silent_seconds(self) -> float:
        """How long ago it gave the last one."""

    def reload(self) -> None:
        """Take over settings that were changed."""

    def status(self) -> str:
        """One line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked, and for a drain how long it may take."""

    asked: Asked
    seconds: float | None = None


class Inbox:
    """Where signals and the API leave what they want of the main thread; any thread and any handler may."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Wish] = queue.SimpleQueue()

    def put(self, wish: Wish) -> None:
        """Leave a wish. It never waits."""
        self._queue.put(wish)

    def take(self, seconds: float) -> Wish | None:
        """The next wish; None if none came within so many seconds."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None


@contextmanager
def hearing_signals(inbox: Inbox) -> Iterator[None]:
    """SIGTERM drains, SIGINT drains and the second time stops, SIGHUP reloads; as before after the block."""
    interrupts = 0

    def hear(number: int, _frame: object) -> None:
        nonlocal interrupts
        interrupts += number == signal.SIGINT
        if number == signal.SIGHUP:
            inbox.put(Wish(asked=Asked.RELOAD))
        else:
            inbox.put(Wish(asked=Asked.STOP if interrupts > 1 else Asked.DRAIN))

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Process:
    """Turns until it is told to end and nothing is out any more, or the time for that is over."""

    def __init__(
        self,
        engine: Engine,
        workers: LocalWorkers,
        inbox: Inbox,
        manager: Manager,
        *,
        drain_seconds: float = DRAIN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        alive_seconds: float = 60.0,
    ) -> None:
        """A sentinel that was silent for `alive_seconds` is not alive for the service manager's watchdog."""
        self._engine = engine
        self._workers = workers
        self._inbox = inbox
        self._manager = manager
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._alive_seconds = alive_seconds
        self._until: float | None = None
        self._next_look = self._next_word = 0.0
        self._status = ""

    def run(self) -> None:
        """Return when the process may end; raises what ended a part of it before."""
        while not self._is_over():
            self._look()
            wish = self._inbox.take(TURN_SECONDS)
            if wish is not None:
                self._hear(wish)
            self._speak()
        self._manager.stopping("ending")

    def _look(self) -> None:
        now = self._clock()
        self._workers.look(now)
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._engine.look()

    def _is_over(self) -> bool:
        if (failure := self._engine.failure) is not None:
            if isinstance(failure, CasparianError):
                raise failure
            raise InvariantBroken("a part of the sentinel ended", why=repr(failure)) from failure
        if self._until is None:
            return False
        if self._engine.is_idle:
            return True
        if self._clock() < self._until:
            return False
        log.warning("sentinel.gave_up_draining")
        return True

    def _hear(self, wish: Wish) -> None:
        log.info("sentinel.was_asked", wish=wish.asked.value, seconds=wish.seconds)
        match wish.asked:
            case Asked.RELOAD:
                self._reload()
            case Asked.DRAIN:
                seconds = self._drain_seconds if wish.seconds is None else wish.seconds
                self._end_within(seconds)
            case Asked.STOP:
                self._end_within(0.0)

    def _end_within(self, seconds: float) -> None:
        until = self._clock() + seconds
        if self._until is None:
            self._engine.begin_drain()
            self._manager.stopping("finishing what is being read")
        # A second word can only make it shorter.
        self._until = until if self._until is None else min(self._until, until)

    def _reload(self) -> None:
        self._manager.reloading(time.monotonic_ns())
        try:
            self._engine.reload()
        except CasparianError as exc:  # it goes on with the settings that it has
            log.error("settings.refused", why=exc.message, where=exc.where)
        self._manager.ready(self._engine.status())

    def _speak(self) -> None:
        now = self._clock()
        if now < self._next_word:
            return
        watchdog = self._manager.watchdog_seconds
        self._next_word = now + (5.0 if watchdog is None else min(5.0, watchdog / 3))
        if watchdog is not None and self._engine.silent_seconds < self._alive_seconds:
            self._manager.alive()
        if self._until is not None:
            self._manager.extend(30.0)
        if (status := self._engine.status()) != self._status:
            self._status = status
            self._manager.status(status)
