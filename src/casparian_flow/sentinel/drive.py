"""Drives one run to its end: hands out orders, takes in reports, until no job is open."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from casparian_flow.protocol.messages import Answer, Idle, Order, Report
from casparian_flow.sentinel.service import Sentinel

TICK_SECONDS = 0.25
"""How long to wait for a report before looking again for jobs whose pause is over."""


class Workers(Protocol):
    """Whoever carries the messages of some workers."""

    def receive(self, timeout: float) -> tuple[str, Report] | None:
        """The next report with its sender's name, or None after `timeout` seconds."""

    def send(self, worker: str, message: Order | Answer) -> None:
        """Give a worker an order or an answer."""


def drive(sentinel: Sentinel, workers: Workers, now_ns: Callable[[], int]) -> None:
    """Run every expected job to its end. Returns when none is open any more."""
    idle: deque[str] = deque()
    while not sentinel.is_done:
        while idle and (order := sentinel.next_order(idle[0], now_ns())) is not None:
            workers.send(idle.popleft(), order)
        received = workers.receive(TICK_SECONDS)
        if received is None:
            continue
        worker, report = received
        if isinstance(report, Idle):
            idle.append(worker)
        elif (answer := sentinel.handle(report, now_ns())) is not None:
            workers.send(worker, answer)
