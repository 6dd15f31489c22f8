"""Drives one run to its end: hands out orders, takes in reports, until no job is open."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from casparian_flow.protocol.messages import Answer, Idle, Order, Report
from casparian_flow.sentinel.service import Sentinel

TICK_SECONDS = 0.25
"""How long to wait for a report before looking again for jobs whose pause is over."""

REPORTS_AT_ONCE = 100


class Workers(Protocol):
    """Whoever carries the messages of some workers."""

    def receive(self, timeout: float) -> tuple[str, Report] | None:
        """The next report with its sender's name, or None after `timeout` seconds."""

    def send(self, worker: str, message: Order | Answer) -> None:
        """Give a worker an order or an answer."""


def drive(sentinel: Sentinel, workers: Workers, now_ns: Callable[[], int]) -> None:
    """Run every expected job to its end. Returns when none is open any more.

    All reports that are there are taken in with one flush of the disk; what follows from them is sent afterwards.
    """
    idle: deque[str] = deque()
    reports: list[tuple[str, Report]] = []
    while not sentinel.is_done:
        outgoing: list[tuple[str, Order | Answer]] = []
        with sentinel.together():
            for worker, report in reports:
                if isinstance(report, Idle):
                    idle.append(worker)
                elif (answer := sentinel.handle(report, now_ns())) is not None:
                    outgoing.append((worker, answer))
            while idle and (order := sentinel.next_order(idle[0], now_ns())) is not None:
                outgoing.append((idle.popleft(), order))
        for worker, message in outgoing:
            workers.send(worker, message)
        reports = _receive_all(workers) if not sentinel.is_done else []


def _receive_all(workers: Workers) -> list[tuple[str, Report]]:
    """The reports that are there, or the next one."""
    received = []
    found = workers.receive(TICK_SECONDS)
    while found is not None:
        received.append(found)
        found = workers.receive(0) if len(received) < REPORTS_AT_ONCE else None
    return received
