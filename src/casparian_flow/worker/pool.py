"""Workers as threads of this process: each hosts one guest at a time and pulls its next order when idle."""

from __future__ import annotations

import queue
import threading

from casparian_flow.core.errors import CasparianError
from casparian_flow.protocol.messages import Answer, Dispatch, Idle, Order, Report, Sealed, Settle
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.execute import Tools, failure, host_fault, parse_group, settle_job


class LocalPool:
    """A fixed number of local workers, named `local-0` and so on; a context manager that ends them."""

    def __init__(self, workers: int, tools: Tools) -> None:
        self._reports: queue.Queue[tuple[str, Report]] = queue.Queue()
        self._stop = CancelToken()
        self._members = {
            name: _Member(name, self._reports, tools, self._stop) for name in (f"local-{n}" for n in range(workers))
        }

    def __enter__(self) -> LocalPool:
        for member in self._members.values():
            member.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.cancel()
        for member in self._members.values():
            member.inbox.put(None)
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

    def __init__(self, name: str, reports: queue.Queue[tuple[str, Report]], tools: Tools, stop: CancelToken) -> None:
        self.inbox: queue.Queue[Order | Answer | None] = queue.Queue()
        self.thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._name = name
        self._reports = reports
        self._tools = tools
        self._stop = stop

    def send(self, report: Report) -> None:
        """Report; nothing comes back."""
        self._reports.put((self._name, report))

    def ask(self, sealed: Sealed) -> Answer:
        """Ask for a permit and wait for the answer; a pool that is being ended answers with no permit."""
        self.send(sealed)
        answer = self.inbox.get()
        if answer is None or isinstance(answer, Dispatch | Settle):
            self.inbox.put(None)
            raise _Ended
        return answer

    def _work(self) -> None:
        while not self._stop.is_cancelled:
            self.send(Idle())
            order = self.inbox.get()
            if not isinstance(order, Dispatch | Settle):
                return
            try:
                if isinstance(order, Dispatch):
                    parse_group(order, self, self._tools, self._stop)
                else:
                    settle_job(order, self, self._tools)
            except _Ended:
                return
            except Exception as exc:  # a fault of the host: every job of the order is told, the worker lives on
                self._report_fault(order, exc)

    def _report_fault(self, order: Order, exc: Exception) -> None:
        error = exc if isinstance(exc, CasparianError) else host_fault(exc)
        for job in order.jobs if isinstance(order, Dispatch) else [order.order]:
            self.send(failure(job, error))


class _Ended(Exception):
    """The pool ends while a worker waits for an answer."""
