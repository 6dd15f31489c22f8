"""The loop around the sentinel's core: messages, calls of other threads and the clock in; what follows from it out."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from casparian_flow.core.errors import HomeUnavailable, SentinelStopped, SentinelSuperseded
from casparian_flow.protocol.transport import Router
from casparian_flow.sentinel.actions import Action
from casparian_flow.sentinel.commit.promoter import carry_out
from casparian_flow.sentinel.core import SentinelCore
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sinks.base import Sink
from casparian_flow.store.database import Database

STEP_SECONDS = 0.25
"""How long to wait for a message before looking again for what time makes due."""
MESSAGES_AT_ONCE = 200
LONGEST_STEP_NS = 3_000_000_000
"""More than this between two steps is no time in which workers could be heard: they were not listened to."""
PAUSE_SECONDS = 1.0
"""How long to wait after the database could not be written before trying again."""

T = TypeVar("T")
Event = tuple[str, dict[str, object]]
Call = Callable[[SentinelCore, int], T]


class Loop:
    """One thread owns it and calls everything but `call`, `tell`, `subscribe` and `stop`, which any thread may call.

    All that arrives together is taken in with one flush of the disk; what follows from it leaves afterwards.
    """

    def __init__(
        self,
        database: Database,
        router: Router,
        make_core: Callable[[Notify], SentinelCore],
        open_sink: Callable[[str], Sink],
        clock: Callable[[], int],
        *,
        promoters: int = 0,
    ) -> None:
        """`promoters` is how many threads work at sinks; without any the loop does it itself."""
        self._database = database
        self._router = router
        self._make_core = make_core
        self._open_sink = open_sink
        self._clock = clock
        self._events: list[Event] = []
        self._listeners: list[Notify] = []
        self._calls: queue.SimpleQueue[tuple[Call[object], Future[object]]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(promoters, "promoter") if promoters else None
        self._owner: int | None = None
        self._is_stopping = threading.Event()
        self._is_draining = False
        self._is_over = False
        self._last_ns: int | None = None
        self._lock = threading.Lock()
        self.core = make_core(self._note)

    # --- from any thread ----------------------------------------------------------------------------------------

    def call(self, function: Call[T]) -> T:
        """What the function gives when it is called with the core and the time; durable by then.

        Raises what it raises, and SentinelStopped if the loop ended.
        """
        future = self.tell(function)
        if self._owner in (None, threading.get_ident()):
            self.step(0)
        return future.result()

    def tell(self, function: Call[T]) -> Future[T]:
        """Have the function called with the core and the time, soon."""
        future: Future[T] = Future()
        with self._lock:
            if self._is_over:
                raise SentinelStopped("the sentinel has ended")
            self._calls.put((function, future))  # type: ignore[arg-type]
        self._router.wake()
        return future

    def subscribe(self, listener: Notify) -> Callable[[], None]:
        """Let somebody hear every event, once it is durable, in the thread of the loop; what is returned ends it."""
        with self._lock:
            self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = [each for each in self._listeners if each is not listener]

        return unsubscribe

    def stop(self, *, drain: bool = False) -> None:
        """End `serve`: with `drain` when no worker has anything in hand any more, else after this step."""
        if drain:
            self.tell(lambda core, _now: core.begin_drain())
            self._is_draining = True
        else:
            self._is_stopping.set()
        self._router.wake()

    # --- from its own thread ------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Go on with what an earlier sentinel left, and work until `stop`.

        While the database cannot be written, and after a fault of ours, nothing is lost: what is in memory is
        forgotten, and taken up again from what is durable. Raises SentinelSuperseded when a later sentinel took the
        home over.
        """
        self._owner = threading.get_ident()
        is_taken_up = False
        try:
            while not self._is_stopping.is_set() and not (self._is_draining and is_taken_up and self.core.is_idle):
                try:
                    if not is_taken_up:
                        with self._database.together():
                            self.core.take_up(self._clock())
                            if self._is_draining:
                                self.core.begin_drain()
                        is_taken_up = True
                    self.step(STEP_SECONDS)
                except SentinelSuperseded:
                    raise
                except Exception as exc:
                    self._events.clear()
                    self._publish("sentinel.interrupted", _in_words(exc))
                    self.core = self._make_core(self._note)
                    is_taken_up = False
                    time.sleep(PAUSE_SECONDS)
        finally:
            self.close()

    def run_until(self, is_enough: Callable[[], bool]) -> None:
        """Work until that holds."""
        while not is_enough():
            self.step(STEP_SECONDS)

    def step(self, timeout: float) -> None:
        """Take in what is there, or comes within so many seconds, and do what follows from it."""
        messages = self._receive(timeout)
        calls = self._take_calls()
        answered: list[tuple[Future[object], object, Exception | None]] = []
        try:
            with self._database.together():
                now = self._look_at_clock()
                self.core.look(now)
                for peer, data in messages:
                    self.core.receive(peer, data, now, self._router.name_of(peer))
                for function, future in calls:
                    try:
                        answered.append((future, function(self.core, now), None))
                    except DBAPIError:
                        raise
                    except Exception as exc:  # the asker's to handle, not a reason to end for everybody
                        answered.append((future, None, exc))
                self.core.tick(now)
        except BaseException as exc:
            for _function, future in calls:
                future.set_exception(SentinelStopped("it could not be done", why=str(exc).partition("\n")[0]))
            raise
        self._let_out(now)
        for future, result, error in answered:
            future.set_exception(error) if error is not None else future.set_result(result)

    def close(self) -> None:
        """Answer nobody any more; sinks that are being written to are waited for."""
        with self._lock:
            self._is_over = True
        if self._pool is not None:
            self._pool.shutdown()
        for _function, future in self._take_calls():
            future.set_exception(SentinelStopped("the sentinel has ended"))
        self._publish("sentinel.stopped", {})

    def _look_at_clock(self) -> int:
        now = self._clock()
        by = 0 if self._last_ns is None else now - self._last_ns
        if not 0 <= by <= LONGEST_STEP_NS:
            self.core.leapt(by)
        self._last_ns = now
        return now

    def _receive(self, timeout: float) -> list[tuple[bytes, bytes]]:
        """The messages that are there, or the next one."""
        received = []
        found = self._router.receive(timeout if self._calls.empty() else 0)
        while found is not None:
            received.append(found)
            found = self._router.receive(0) if len(received) < MESSAGES_AT_ONCE else None
        return received

    def _take_calls(self) -> list[tuple[Call[object], Future[object]]]:
        calls = []
        while not self._calls.empty():
            calls.append(self._calls.get_nowait())
        return calls

    def _let_out(self, now: int) -> None:
        """Send, do and tell what became durable."""
        for peer, data in self.core.take_outgoing():
            if not self._router.send(peer, data):
                self.core.lost(peer, now)
        for action in self.core.take_actions():
            if self._pool is None:
                self._carry_out(action)
            else:
                self._pool.submit(self._carry_out, action)
        events, self._events = self._events, []
        for event, values in events:
            self._publish(event, values)

    def _carry_out(self, action: Action) -> None:
        done = carry_out(action, self._open_sink)
        # Whoever is the sentinel next finds it open, and does it again, which changes nothing.
        with contextlib.suppress(SentinelStopped):
            self.tell(lambda core, now: core.done(done, now))

    def _note(self, event: str, values: dict[str, object]) -> None:
        self._events.append((event, values))

    def _publish(self, event: str, values: dict[str, object]) -> None:
        for listener in self._listeners:
            listener(event, values)


def _in_words(exc: Exception) -> dict[str, object]:
    """Why the work was interrupted; of what nobody foresaw, also where it was raised."""
    if isinstance(exc, DBAPIError):
        return {"message": str(exc.orig)}
    if isinstance(exc, HomeUnavailable):
        return {"message": f"{exc.message}: {exc.why}"}
    where = traceback.extract_tb(exc.__traceback__)[-1]
    place = f"{where.name}, {Path(where.filename).name} line {where.lineno}"
    return {"message": f"{type(exc).__name__}: {exc}", "where": place}
