"""What every route of the API shares, and the threads that operations run in."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from casparian_flow import logs
from casparian_flow.clients.control import unheard
from casparian_flow.clients.http.asker import Asker
from casparian_flow.clients.http.event_log import EventLog
from casparian_flow.clients.http.gate import Gate
from casparian_flow.clients.http.health import Vitals
from casparian_flow.clients.http.metrics import Metrics
from casparian_flow.clients.http.sse import EventStream
from casparian_flow.core.errors import SentinelStopped, ServiceBusy
from casparian_flow.operations.context import Report
from casparian_flow.operations.registry import Reply, Request

log = logs.get_log(__name__)

Result = TypeVar("Result")
_Call = tuple[Callable[[], Any], "Future[Any]"]
ENDED = "the sentinel ended before the answer was there"
READERS = 4
ACTORS = 8
CHECKERS = 2
MOST_WAITING = 64
"""Operations that wait for a thread; more are refused."""
MOST_STREAMS = 64
"""Clients that are sent events at once; more are refused."""


class Door(Protocol):
    """Asks the operations of one home for one asker: `clients.control.Control`, or what stands in for it."""

    def ask(self, name: str, request: Request, report: Report = unheard) -> Reply:
        """The operation's reply, or its error."""

    def attempt(self, name: str, request: Request) -> Reply:
        """The reply that `ask` would give, with nothing changed."""


class Threads:
    """So many threads, and so many calls that may wait for one. The end of the process waits for none of them."""

    def __init__(self, name: str, count: int, most_waiting: int = MOST_WAITING) -> None:
        self._name = name
        self._count = count
        self._most = count + most_waiting
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._started = 0
        self._open = 0
        self._is_closed = False
        self._lock = threading.Lock()

    async def run(self, function: Callable[[], Result]) -> Result:
        """The function's result. It runs to its end also when nobody waits for it any more.

        Raises ServiceBusy when too many wait, and SentinelStopped after `close`.
        """
        future: Future[Result] = Future()
        with self._lock:
            if self._is_closed:
                raise SentinelStopped(ENDED)
            if self._open >= self._most:
                raise ServiceBusy("too many requests wait already")
            self._open += 1
            if self._started < min(self._open, self._count):
                self._started += 1
                threading.Thread(target=self._work, name=f"api-{self._name}-{self._started}", daemon=True).start()
            self._calls.put((function, future))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as exc:  # whoever waits is told
                    future.set_exception(exc)
            del call, function, future  # or what it held stays in memory until the next call
            with self._lock:
                self._open -= 1

    def close(self) -> None:
        """Take no more calls, and drop those that wait; what runs goes on to its end."""
        with self._lock:
            self._is_closed = True
            with suppress(queue.Empty):
                while call := self._calls.get_nowait():
                    call[1].cancel()
            for _ in range(self._started):
                self._calls.put(None)


@dataclass(slots=True, kw_only=True)
class Service:
    """One API over one home. `control_for` gives the door that this asker may ask at."""

    gate: Gate
    control_for: Callable[[Asker], Door]
    events: EventLog
    metrics: Metrics
    vitals: Callable[[], Vitals]
    readers: Threads = field(default_factory=lambda: Threads("read", READERS))
    actors: Threads = field(default_factory=lambda: Threads("act", ACTORS))
    checkers: Threads = field(default_factory=lambda: Threads("check", CHECKERS))
    most_streams: int = MOST_STREAMS
    streams: int = 0
    is_stopping: bool = False

    def end_streams(self) -> None:
        """Let those who follow go, before the server is stopped; else stopping waits for them."""
        self.is_stopping = True
        self.events.nudge()

    def told(self, event: str, values: Mapping[str, object]) -> None:
        """Take in what the sentinel tells, from any thread: for who follows it, for the numbers, and for the log."""
        self.events.append(event, values)
        self.metrics.happened(event)
        bound = log.bind(**values)
        (bound.debug if event.endswith(".progressed") else bound.info)(event)

    def stream(self, frames: AsyncIterator[bytes]) -> EventStream:
        """The answer that sends these frames, counted while it lasts."""
        self.streams += 1
        return EventStream(frames, self._stream_ended)

    def _stream_ended(self) -> None:
        self.streams -= 1

    def close(self) -> None:
        """Take no more requests."""
        for threads in (self.readers, self.actors, self.checkers):
            threads.close()
