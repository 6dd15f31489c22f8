"""A home that a sentinel holds: its loop works in a thread of its own, and operations ask it from theirs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from casparian_flow import logs
from casparian_flow.core.errors import SentinelStopped
from casparian_flow.operations.context import Acting, Reading, Report
from casparian_flow.operations.doing.lineage.file import tell
from casparian_flow.operations.doing.reading import KeptReadings
from casparian_flow.operations.doing.service.doorkeeper import Doorkeeper
from casparian_flow.sentinel.execution import Served
from casparian_flow.sentinel.loop import Loop
from casparian_flow.sentinel.recovery import Recovered
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.base import Sink
from casparian_flow.store.database import Database
from casparian_flow.store.turn import Turn

log = logs.get_log(__name__)

End = Callable[[bool, float | None], None]
"""Leaves word that the process is to end: whether it drains, and how long that may take."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where workers join, and the key by which those on other machines know the sentinel."""

    endpoints: tuple[str, ...]
    server_key: str | None


class ServedHome:
    """Any thread may open a right to act or a view; the main thread of the process looks after the loop."""

    def __init__(
        self,
        home: Home,
        load_settings: Callable[[], Settings],
        loop: Loop,
        turn: Turn,
        recovered: Recovered,
        open_sink: Callable[[str], Sink],
        end: End,
        addresses: Addresses,
    ) -> None:
        self.home = home
        self.addresses = addresses
        self.settings = load_settings()
        self.incarnation = recovered.incarnation
        self._load_settings = load_settings
        self._loop = loop
        self._turn = turn
        self._recovered = recovered
        self._open_sink = open_sink
        self._end = end
        self._readings = KeptReadings(home)
        self._alone = threading.Lock()
        self._failure: BaseException | None = None
        self._heard = time.monotonic()
        self._asked: Future[int] | None = None
        self._has_ended = threading.Event()
        """A run has, and nobody was told what it did."""
        self._workers = 0
        self._thread = threading.Thread(target=self._serve, name="sentinel", daemon=True)

    # --- for operations -----------------------------------------------------------------------------------------

    @contextmanager
    def open_acting(self, cwd: Path, actor: str, report: Report, *, alone: bool) -> Iterator[Acting]:
        """The right to change the home, in the thread of one request.

        What is `alone` waits for whatever else is, but not for what only waits for its jobs.
        """
        database = self._database()
        try:
            with self._alone if alone else nullcontext():
                yield Acting(
                    home=self.home,
                    settings=self.settings,
                    database=database,
                    cwd=cwd,
                    clock=time.time_ns,
                    actor=actor,
                    report=report,
                    recovered=self._recovered,
                    open_sink=self._open_sink,
                    execution=_Asked(self._loop, self._end, self._alone if alone else None),
                )
        finally:
            database.close()

    def open_reading(self, cwd: Path) -> AbstractContextManager[Reading]:
        """A read-only view of the home."""
        return self._readings.open(self.settings, cwd)

    def open_doorkeeper(self) -> Doorkeeper:
        """What the API asks about tokens, and about changes that were asked for before; the caller closes it."""
        return Doorkeeper(self._database(), time.time_ns)

    def _database(self) -> Database:
        return Database(self.home.state, turn=self._turn, incarnation=self.incarnation)

    # --- for the process ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to serve workers."""
        self._has_ended.set()
        self._loop.subscribe(self._note)
        self._thread.start()

    def subscribe(self, listener: Report) -> None:
        """Let somebody hear every event, in the thread of the loop."""
        self._loop.subscribe(listener)

    def begin_drain(self) -> None:
        """Give out nothing more."""
        with suppress(SentinelStopped):
            self._loop.call(lambda core, _now: core.begin_drain())

    @property
    def is_idle(self) -> bool:
        """Whether no worker has anything in hand."""
        try:
            return self._loop.call(lambda core, _now: core.is_idle)
        except SentinelStopped:
            return True

    @property
    def failure(self) -> BaseException | None:
        """What ended the loop, if something did."""
        return self._failure

    def look(self) -> None:
        """Ask the loop for a sign of life, which comes when it comes; to be called every now and then."""
        if self._asked is None or self._asked.done():
            with suppress(SentinelStopped):
                self._asked = self._loop.tell(lambda core, _now: core.count_workers())
                self._asked.add_done_callback(self._hear)
        self._tell()

    def _note(self, event: str, _values: dict[str, object]) -> None:
        if event == "run.over":
            self._has_ended.set()

    def _tell(self) -> None:
        """Tell others what the runs did that ended; what cannot be told is tried again when the next one ends."""
        if self._has_ended.is_set():
            self._has_ended.clear()
            with closing(self._database()) as database:
                if (trouble := tell(database, self.home, self.settings, time.time_ns)) is not None:
                    log.warning("lineage.failed", message=trouble.message, why=trouble.why)

    def _hear(self, answered: Future[int]) -> None:
        if answered.exception() is None:
            self._workers, self._heard = answered.result(), time.monotonic()

    @property
    def silent_seconds(self) -> float:
        """How long ago the loop last gave a sign of life."""
        return time.monotonic() - self._heard

    @property
    def workers(self) -> int:
        """How many workers were there then."""
        return self._workers

    def status(self) -> str:
        """One line for people."""
        return f"{self._workers} workers are there"

    def reload(self) -> None:
        """Read the settings again; raises ConfigError, and then those before stay."""
        self.settings = self._load_settings()

    def stop(self) -> None:
        """End the loop after the step it is in, and return when it has ended."""
        self._loop.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._tell()

    def close(self) -> None:
        """Let go of the database, after the loop ended; no view and no right to act may be open."""
        self._readings.close()

    def _serve(self) -> None:
        try:
            self._loop.serve()
        except BaseException as exc:  # the main thread looks for it, and ends the process with it
            self._failure = exc


class _Asked(Served):
    """What one operation may ask of the sentinel; the end of the process is left to its main thread."""

    def __init__(self, loop: Loop, end: End, held: threading.Lock | None) -> None:
        super().__init__(loop)
        self._end = end
        self._held = held

    def wait(self, plan: int, report: Report) -> None:
        """As `Served.wait`; operations that want to be alone have their turn meanwhile."""
        if self._held is None:
            super().wait(plan, report)
            return
        self._held.release()
        try:
            super().wait(plan, report)
        finally:
            self._held.acquire()

    def stop(self, *, drain: bool, seconds: float | None = None) -> None:
        """Leave word that the process is to end."""
        self._end(drain, seconds)
