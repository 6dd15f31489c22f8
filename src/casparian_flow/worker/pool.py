"""Workers as threads of this process: each hosts one guest at a time and pulls its next order when idle."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import LogLine
from casparian_flow.protocol import bodies
from casparian_flow.protocol.messages import (
    Answer,
    Conclude,
    Dispatch,
    Failed,
    Held,
    Idle,
    JobOrder,
    Logged,
    Order,
    Permit,
    Report,
    Sealed,
    Settle,
    Started,
    Surveyed,
)
from casparian_flow.worker import actions
from casparian_flow.worker.execute import Tools, cast_job, host_fault, parse_group
from casparian_flow.worker.turns import Turns


class LocalPool:
    """A fixed number of local workers, named `local-0` and so on; a context manager that ends them."""

    def __init__(self, workers: int, tools: Tools) -> None:
        self._reports: queue.Queue[tuple[str, Report]] = queue.Queue()
        self._members = {name: _Member(name, self._reports, tools) for name in (f"local-{n}" for n in range(workers))}

    def __enter__(self) -> LocalPool:
        for member in self._members.values():
            member.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for member in self._members.values():
            member.end()
        for member in self._members.values():
            member.thread.join()

    def receive(self, timeout: float) -> tuple[str, Report] | None:
        """The next report with its sender's name; None when there is none for `timeout` seconds."""
        try:
            return self._reports.get(timeout=timeout)
        except queue.Empty:
            return None

    def send(self, worker: str, message: Order | Answer) -> None:
        """Give a worker an order or an answer."""
        self._members[worker].inbox.put(message)


class _Member:
    """One worker: a thread, its inbox, and its line to the sentinel."""

    def __init__(self, name: str, reports: queue.Queue[tuple[str, Report]], tools: Tools) -> None:
        self.inbox: queue.Queue[Order | Answer | None] = queue.Queue()
        self.thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._name = name
        self._reports = reports
        self._tools = tools
        self._lock = threading.Lock()
        self._turns = Turns()
        self._jobs: list[int] = []
        self._is_ended = False

    def end(self) -> None:
        with self._lock:
            self._is_ended = True
            self._turns.stop_all(self._jobs)
        self.inbox.put(None)

    def started(self, job: JobOrder) -> None:
        self._send(Started(job=job.job, attempt=job.attempt))

    def progressed(self, job: JobOrder, rows: int, position: int) -> None:
        pass

    def printed(self, job: JobOrder, lines: Sequence[LogLine]) -> None:
        self._send(Logged(job=job.job, attempt=job.attempt, lines=list(lines), dropped=0))

    def failed(self, job: JobOrder, error: CasparianError) -> None:
        self._send(
            Failed(
                job=job.job,
                attempt=job.attempt,
                code=error.code,
                message=error.message,
                why=error.why,
                transient=error.transient,
            )
        )

    def surveyed(self, job: JobOrder, outcome: bodies.Surveyed) -> bool:
        self._send(Surveyed(job=job.job, attempt=job.attempt, outputs=outcome.outputs, sealed=outcome.sealed))
        return True

    def ask(self, job: JobOrder, outcome: bodies.Sealed) -> bodies.Permit | actions.Held | actions.Fenced:
        """Ask for a permit and wait for the answer; a pool that is being ended answers with no permit."""
        self._send(Sealed(job=job.job, attempt=job.attempt, receipt=outcome.receipt))
        answer = self.inbox.get()
        if answer is None or isinstance(answer, Dispatch | Settle):
            self.inbox.put(None)
            raise _Ended
        if isinstance(answer, Permit):
            return bodies.Permit(entries=answer.entries)
        return actions.Held() if isinstance(answer, Held) else actions.Fenced(answer.why)

    def concluded(self, job: JobOrder) -> None:
        self._send(Conclude(job=job.job, attempt=job.attempt))

    def stopped(self, job: JobOrder) -> None:
        pass

    def _send(self, report: Report) -> None:
        self._reports.put((self._name, report))

    def _work(self) -> None:
        while not self._is_ended:
            self._send(Idle())
            order = self.inbox.get()
            if not isinstance(order, Dispatch | Settle):
                return
            jobs = order.jobs if isinstance(order, Dispatch) else [order.order]
            with self._lock:
                self._turns, self._jobs = Turns(), [job.job for job in jobs]
                if self._is_ended:
                    return
            try:
                self._do(order)
            except _Ended:
                return
            except Exception as exc:  # a fault of the host: every job of the order is told, the worker lives on
                error = exc if isinstance(exc, CasparianError) else host_fault(exc)
                for job in jobs:
                    self.failed(job, error)

    def _do(self, order: Order) -> None:
        tools = replace(self._tools, scratch=Path(order.staging))
        if isinstance(order, Dispatch):
            parse = bodies.Parse(
                parser=order.parser,
                jobs=order.jobs,
                contracts=order.contracts,
                routes=order.routes,
                limits=order.limits,
            )
            parse_group(parse, self, tools, self._turns)
        else:
            cast = bodies.Cast(
                parser=order.parser,
                job=order.order,
                routes=order.routes,
                tables=order.tables,
                contracts=order.contracts,
            )
            cast_job(cast, self, tools, self._turns)


class _Ended(BaseException):
    """The pool ends while a worker waits for an answer."""
