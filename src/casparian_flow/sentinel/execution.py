"""How operations reach the sentinel: `operations.context.Execution` over the loop, in this thread or in another one."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Protocol

from casparian_flow.core.errors import SentinelStopped
from casparian_flow.core.jobs import FINAL_STATES
from casparian_flow.sentinel.notices import Notify

if TYPE_CHECKING:  # whoever only changes a home runs no jobs
    from casparian_flow.sentinel.loop import Event, Loop
    from casparian_flow.sentinel.runs import CancelOutcome

STOPPED = "sentinel.stopped"
LOOK_SECONDS = 0.5


class Workers(Protocol):
    """What does the jobs of a command."""

    def check(self) -> None:
        """Raises what ended it before its time, if anything did."""


class _Verbs:
    """What is asked the same way of either."""

    def __init__(self, get_loop: Callable[[], Loop]) -> None:
        self._get_loop = get_loop

    @property
    def _loop(self) -> Loop:
        return self._get_loop()

    def hurry(self, job: int) -> bool:
        """Let a queued job that pauses after a failure have its turn at once; false if it does not pause."""
        return self._loop.call(lambda core, now: core.hurry(job, now))

    def set_priority(self, job: int, priority: int) -> bool:
        """Change when a queued job has its turn; false if it is not queued any more."""
        return self._loop.call(lambda core, _now: core.set_priority(job, priority))

    def drain(self, worker: str) -> bool:
        """Let a worker finish what it holds and give it nothing more; false if none of that name is present."""
        return self._loop.call(lambda core, _now: core.drain(worker))

    def remove(self, worker: str) -> bool:
        """Forget a worker, its attempts fenced and queued again; false if there is none of that name."""
        return self._loop.call(lambda core, now: core.remove(worker, now))


class Embedded(_Verbs):
    """The sentinel of a command that runs jobs itself: it works while the command waits, with workers of its own."""

    outlives_asker = False

    def __init__(
        self, make_loop: Callable[[], Loop], open_workers: Callable[[int], AbstractContextManager[Workers]]
    ) -> None:
        """`make_loop` is called when something is first asked: most commands ask nothing.

        `open_workers` starts so many slots, which are gone at the end of its block; its value tells if they fail.
        """
        super().__init__(cache(make_loop))
        self._open_workers = open_workers
        self._slots = 1

    def submit(self, plan: int, workers: int) -> None:
        """Take up a run whose row and jobs are in the store; `workers` slots will do it."""
        self._slots = workers
        self._loop.call(lambda core, now: core.submit(plan, now))

    def wait(self, plan: int, report: Notify) -> None:
        """Bring the run to its end. Workers are only started if there is something for them."""
        ours: set[object] = {plan}

        def hear(event: str, values: dict[str, object]) -> None:
            if values.get("plan", plan) in ours:
                _note_following(ours, event, values)
                report(event, values)

        def is_over() -> bool:
            workers.check()
            return self._loop.core.is_over(plan)

        unsubscribe = self._loop.subscribe(hear)
        try:
            if self._loop.core.has_open(plan):
                with self._open_workers(self._slots) as workers:
                    self._loop.run_until(is_over)
                self._loop.call(lambda core, now: core.dismiss(now))
            else:
                self._loop.run_until(lambda: self._loop.core.is_over(plan))
        finally:
            unsubscribe()

    def cancel(self, job: int, wait_seconds: float) -> CancelOutcome:
        """Stop a job before it commits. No worker is at work between two runs: there is nothing to wait for."""
        return self._loop.call(lambda core, now: core.cancel(job, now))

    def stop(self, *, drain: bool, seconds: float | None = None) -> None:
        """Nothing to end: an embedded sentinel works only while somebody waits."""


class Served(_Verbs):
    """The sentinel that works in a thread of its own; any number of threads may ask it."""

    outlives_asker = True

    def __init__(self, loop: Loop) -> None:
        super().__init__(lambda: loop)

    def submit(self, plan: int, workers: int) -> None:
        """Take up a run whose row and jobs are in the store; whichever workers there are will do it."""
        self._loop.call(lambda core, now: core.submit(plan, now))

    def wait(self, plan: int, report: Notify) -> None:
        """Return when the run is over; raises SentinelStopped when the sentinel ends before."""
        events, unsubscribe = self._listen("plan", plan)
        try:
            while not self._loop.call(lambda core, _now: core.is_over(plan)):
                self._report_until_over(events, report)
        finally:
            unsubscribe()

    def cancel(self, job: int, wait_seconds: float) -> CancelOutcome:
        """Stop a job before it commits, waiting so long until nothing of it runs; raises NotFound."""
        until = time.monotonic() + wait_seconds
        events, unsubscribe = self._listen("job", job)
        try:
            outcome = self._loop.call(lambda core, now: core.cancel(job, now))
            while outcome.is_cancelled and outcome.state not in FINAL_STATES and time.monotonic() < until:
                try:
                    events.get(timeout=min(LOOK_SECONDS, max(until - time.monotonic(), 0)))
                except queue.Empty:
                    continue
                outcome = self._loop.call(lambda core, now: core.cancel(job, now))
            return outcome
        finally:
            unsubscribe()

    def stop(self, *, drain: bool, seconds: float | None = None) -> None:
        """End the sentinel: with `drain` after the attempts that are out, however long that takes; else at once."""
        self._loop.stop(drain=drain)

    def _listen(self, name: str, number: int) -> tuple[queue.SimpleQueue[Event], Callable[[], None]]:
        """The events about one run or one job, and of the sentinel's end; what is returned beside ends it."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        ours: set[object] = {number}

        def hear(event: str, values: dict[str, object]) -> None:
            if event == STOPPED or values.get(name) in ours:
                _note_following(ours, event, values)
                events.put((event, values))

        return events, self._loop.subscribe(hear)

    def _report_until_over(self, events: queue.SimpleQueue[Event], report: Notify) -> None:
        """Pass the run's events on, until it is over or nothing is heard for a while."""
        while True:
            try:
                event, values = events.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                return
            if event == STOPPED:
                raise SentinelStopped("the sentinel ended before the run did")
            report(event, values)
            if event == "run.over":
                return


def _note_following(ours: set[object], event: str, values: dict[str, object]) -> None:
    """A run that follows one of ours is ours, too."""
    if event == "run.followed":
        ours.add(values["by"])
