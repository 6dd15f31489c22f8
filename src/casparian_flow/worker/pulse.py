"""When a worker says that it lives, how much it says at once, and what of it the sentinel is known to have heard."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from casparian_flow.core.jobs import LogLine
from casparian_flow.protocol.bodies import Heartbeat, Printed, Progress
from casparian_flow.worker.held import HeldAttempt, Key, Lines
from casparian_flow.worker.in_hand import InHand

SOON_SECONDS = 0.1
"""Least time between two heartbeats that only tell news; a free slot is told at once."""
REPEAT_SECONDS = 1.0
"""Printed lines that nobody confirmed for so long are told again."""
MOST_PRINTED = 1 << 20
"""After this many characters of printed lines the rest waits for the next heartbeat."""
MOST_SURVEYED = 20_000
"""Surveyed groups that one heartbeat names; if there are more, they take turns."""
REMEMBERED = 64
"""Messages of one kind that may still be answered."""

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat that may still be echoed. `is_goodbye`: it said that nothing is left to do here."""

    sent: float
    progress: list[Progress]
    printed: list[Printed]
    is_goodbye: bool


class Pulse:
    """The heartbeats of one worker. `due` is when the next is to be sent."""

    def __init__(self) -> None:
        self.due = 0.0
        self._last = 0.0
        self._whole_due = 0.0
        self._surveyed_told = 0
        self._beats: dict[int, Beat] = {}
        self._lines: dict[Key, Lines] = {}

    def start(self, now: float) -> None:
        """A sentinel listens from now on."""
        self.due = self._whole_due = now

    def hurry(self, now: float) -> None:
        """There is something to say at once."""
        self.due = min(self.due, now)

    def soon(self, now: float) -> None:
        """There is something to say soon."""
        self.due = min(self.due, max(now, self._last + SOON_SECONDS))

    def print(self, key: Key, lines: list[LogLine]) -> None:
        """Tell what a parser wrote, until it is heard."""
        self._lines.setdefault(key, Lines(*key)).add(lines)

    def has_unsaid(self, key: Key) -> bool:
        """Whether lines of this attempt were never told."""
        return key in self._lines and self._lines[key].has_news

    def forget(self, key: Key) -> None:
        """The attempt is over: nothing more will be printed."""
        if key in self._lines and self._lines[key].is_empty:
            del self._lines[key]

    def heartbeat(self, held: InHand, now: float, interval: float, *, free: int, seen: int, leaving: bool) -> Heartbeat:
        """What to say now: once an interval of every attempt how far it is, in between only what was not heard yet.

        A worker that leaves always says all: that it names nothing is its goodbye.

        Surveyed attempts that the sentinel knows of may be thousands: they too are named only once an interval, each
        group by its leader.
        """
        is_whole = now >= self._whole_due
        progress = [
            each.progress(now) for each in held.busy if not each.waits and (is_whole or leaving or each.has_news)
        ]
        if is_whole:
            self._whole_due = now + interval
            progress += self._surveyed(held.values(), now)
        printed, has_more = self._printed(now)
        self._last, self.due = now, self._whole_due
        if has_more:
            self.soon(now)
        return Heartbeat(free=free, seen=seen, progress=progress, printed=printed, leaving=leaving)

    def sent(self, seq: int, heartbeat: Heartbeat, now: float, *, is_goodbye: bool) -> None:
        """The heartbeat left under that number."""
        self._beats = newest({**self._beats, seq: Beat(now, heartbeat.progress, heartbeat.printed, is_goodbye)})

    def is_awaited(self, seq: int) -> bool:
        """Whether a heartbeat of that number was not echoed yet."""
        return seq in self._beats

    def echoed(self, seq: int, held: Mapping[Key, HeldAttempt]) -> Beat | None:
        """The heartbeat that was heard; what was printed and told in it need not be told again."""
        beat = self._beats.get(seq)
        if beat is None:
            return None
        for said in beat.progress:
            if (attempt := held.get((said.job, said.attempt))) is not None:
                attempt.known = said.phase, said.rows, said.bytes
        for printed in beat.printed:
            key = (printed.job, printed.attempt)
            if (lines := self._lines.get(key)) is not None:
                lines.confirm(printed)
                if key not in held:
                    self.forget(key)
        self._beats = {number: later for number, later in self._beats.items() if number > seq}
        return beat

    def _surveyed(self, held: Collection[HeldAttempt], now: float) -> list[Progress]:
        surveyed = [each for each in held if each.waits and each.leader is each]
        if len(surveyed) > MOST_SURVEYED:
            first = self._surveyed_told % len(surveyed)
            self._surveyed_told = first + MOST_SURVEYED
            surveyed = (surveyed[first:] + surveyed[:first])[:MOST_SURVEYED]
        return [each.progress(now) for each in surveyed]

    def _printed(self, now: float) -> tuple[list[Printed], bool]:
        """As many of the lines to tell as fit into one heartbeat, and whether there are more."""
        printed: list[Printed] = []
        size = 0
        for lines in self._lines.values():
            if size >= MOST_PRINTED:
                return printed, True
            if (told := lines.take(now, REPEAT_SECONDS)) is not None:
                printed.append(told)
                size += sum(len(line.text) for line in told.lines)
        return printed, any(lines.has_news for lines in self._lines.values())


def newest(seqs: dict[int, _V]) -> dict[int, _V]:
    """The latest numbers of what may still be answered."""
    return dict(list(seqs.items())[-REMEMBERED:])
