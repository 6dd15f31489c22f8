"""The network between the nodes: it loses, repeats, reorders and holds back what is sent."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

REMEMBERED = 60
"""So many messages that arrived may arrive again."""
MOST_IN_FLIGHT = 400
"""More than that and the oldest are lost, as when a queue is full."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One message on its way between a worker's connection and the sentinel."""

    peer: bytes
    data: bytes
    to_sentinel: bool


class Network:
    """Everything on its way. A connection that is cut loses its messages, or delivers them all when it heals."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.loss = 0.0
        self.repeats = 0.0
        self._flying: list[Flight] = []
        self._past: deque[Flight] = deque(maxlen=REMEMBERED)
        self._cut: dict[bytes, bool] = {}
        self._stuck: list[Flight] = []

    def __len__(self) -> int:
        return len(self._flying)

    def send(self, peer: bytes, data: bytes, *, to_sentinel: bool) -> None:
        """Put a message on its way, if luck has it."""
        if self._chance.random() < self.loss:
            return
        flight = Flight(peer, data, to_sentinel)
        if peer in self._cut:
            if self._cut[peer]:
                self._stuck.append(flight)
            return
        self._flying.append(flight)
        if len(self._flying) > MOST_IN_FLIGHT:
            del self._flying[0]

    def take(self) -> Flight | None:
        """Any message arrives, perhaps one that arrived before."""
        if self._past and self._chance.random() < self.repeats:
            return self._past[int(self._chance.random() * len(self._past))]
        if not self._flying:
            return None
        at = int(self._chance.random() * len(self._flying))
        self._flying[at], self._flying[-1] = self._flying[-1], self._flying[at]
        flight = self._flying.pop()
        if self.repeats:
            self._past.append(flight)
        return flight

    def take_oldest(self) -> Flight | None:
        """The message that waits longest, when nothing is wrong any more."""
        return self._flying.pop(0) if self._flying else None

    def cut(self, peer: bytes, *, holds: bool) -> None:
        """Nothing passes over this connection; `holds`: it is kept and passes later."""
        self._cut[peer] = holds

    def heal(self) -> None:
        """Every connection works again, and what was held back is on its way."""
        self._cut.clear()
        self._flying += self._stuck
        self._stuck.clear()
