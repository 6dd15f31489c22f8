"""One slot of a worker: a thread that works on one order at a time, with one guest."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import LogLine
from casparian_flow.protocol.bodies import Cast, Parse, Permit, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder
from casparian_flow.worker.actions import Answer, Fenced, Held
from casparian_flow.worker.execute import Tools, cast_group, parse_group
from casparian_flow.worker.faults import host_fault, one_of_several
from casparian_flow.worker.held import Key
from casparian_flow.worker.shared import SharedCore
from casparian_flow.worker.treating import quiet
from casparian_flow.worker.turns import Turns

PROGRESS_SECONDS = 0.2
"""Least time between two words on how far a parser is."""


class Slot:
    """The link of its order to the core. `begin`, `stop`, `answer` and `end` are called by the station's thread."""

    def __init__(self, number: int, core: SharedCore, tools: Tools) -> None:
        self._number = number
        self._core = core
        self._tools = tools
        self._orders: queue.SimpleQueue[Parse | Cast | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._turns = Turns()
        self._jobs: dict[Key, JobOrder] = {}
        self._open: set[Key] = set()
        self._next_progress = 0.0
        self._thread = threading.Thread(target=self._work, name=f"slot-{number}", daemon=True)
        self._thread.start()

    def begin(self, order: Parse | Cast) -> None:
        """Work on an order; the one before is done."""
        jobs = order.jobs if isinstance(order, Parse) else [each.job for each in order.jobs]
        self._turns = Turns()
        self._jobs = {(job.job, job.attempt): job for job in jobs}
        self._orders.put(order)

    def stop(self, key: Key) -> bool:
        """Stop an attempt if it is of this slot's order; whether it is."""
        job = self._jobs.get(key)
        if job is not None and self._turns.stop(job.job):
            self.stopped(job)
        return job is not None

    def answer(self, answer: Answer) -> None:
        """Hand an answer on, if it is for an attempt of this slot's order."""
        if (answer.job, answer.attempt) in self._jobs:
            self._answers.put(answer)

    def end(self) -> None:
        """Stop everything and take no order any more."""
        self._turns.stop_all([job for job, _ in self._jobs])
        self._answers.put(None)
        self._orders.put(None)

    def join(self) -> None:
        """Return when the thread is gone, and with it its guest."""
        self._thread.join()

    # What the order's jobs come to: the slot as a Link

    def started(self, job: JobOrder) -> None:
        """The parser has this file now."""
        self._next_progress = 0.0
        self._core.tell(lambda core, now: core.started(job.job, job.attempt, now))

    def progressed(self, job: JobOrder, rows: int, position: int) -> None:
        """The parser gave a sign of life."""
        if (now := time.monotonic()) >= self._next_progress:
            self._next_progress = now + PROGRESS_SECONDS
            self._core.tell(lambda core, now: core.progressed(job.job, job.attempt, rows, position, now))

    def printed(self, job: JobOrder, lines: Sequence[LogLine]) -> None:
        """The parser wrote these lines."""
        self._core.tell(lambda core, now: core.printed(job.job, job.attempt, list(lines), now))

    def failed(self, job: JobOrder, error: CasparianError) -> None:
        """The attempt ended in an error."""
        self._close(job)
        words = (error.code, error.message, error.why, error.transient)
        self._core.tell(lambda core, now: core.failed(job.job, job.attempt, *words, now))

    def surveyed(self, jobs: Sequence[JobOrder], outcome: Surveyed) -> bool:
        """Parsed, and kept until their contracts are known, or not kept."""
        self._close(*jobs)
        return self._core.tell(lambda core, now: core.surveyed(outcome, now))

    def ask(self, jobs: Sequence[JobOrder], outcome: Sealed) -> Permit | Held | Fenced:
        """Ask for the permit and wait for it."""
        self._close(*jobs)
        self._core.tell(lambda core, now: core.sealed(outcome, now))
        while (answer := self._answers.get()) is not None:
            if (answer.job, answer.attempt) == (jobs[0].job, jobs[0].attempt):
                return answer.answer
        raise _Ended

    def concluded(self, jobs: Sequence[JobOrder]) -> None:
        """Every permitted entry is visible."""
        self._core.tell(lambda core, now: core.concluded(jobs[0].job, jobs[0].attempt, now))

    def stopped(self, job: JobOrder) -> None:
        """Nothing of the attempt runs or is staged."""
        self._close(job)
        self._core.tell(lambda core, now: core.stopped(job.job, job.attempt, now))

    def _close(self, *jobs: JobOrder) -> None:
        """The jobs were answered for: a fault of the host does not make them fail any more."""
        self._open.difference_update((job.job, job.attempt) for job in jobs)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            self._open = set(self._jobs)
            link = quiet(self, order)
            try:
                if isinstance(order, Parse):
                    parse_group(order, link, self._tools, self._turns)
                else:
                    cast_group(order, link, self._tools, self._turns)
            except _Ended:
                return
            except Exception as exc:  # a fault of the host: every job of the order is told, the worker lives on
                error = exc if isinstance(exc, CasparianError) else host_fault(exc)
                if len(self._open) > 1:
                    error = one_of_several(error)
                for key in sorted(self._open):
                    link.failed(self._jobs[key], error)
            self._core.tell(lambda core, now: core.free(self._number, now))


class _Ended(BaseException):
    """The worker ends while an attempt waits for its answer: whether it has a permit, the sentinel knows."""
