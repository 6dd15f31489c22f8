"""What a worker's core knows of the attempts that it has in hand, and which of them are one group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.protocol.bodies import Body, Err, Printed, Progress
from casparian_flow.protocol.opcodes import Opcode

Key = tuple[int, int]
"""A job and its attempt."""

LINES_AT_ONCE = 2_000
"""Most printed lines of one attempt in one message."""


@dataclass(slots=True)
class Question:
    """A message that is sent again until it is answered. `seqs` are those under which it was sent."""

    opcode: Opcode
    body: Body
    due: float
    seqs: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class HeldAttempt:
    """One attempt from its order to the sentinel's last answer.

    `heard` is when its parser last gave a sign, `known` what the sentinel has heard of it last. `doom` is why it fails,
    once what it staged is gone. `group` are the attempts that were surveyed or sealed with it, leader first: what is
    asked about them is the leader's question.
    """

    job: int
    attempt: int
    phase: JobPhase
    heard: float
    rows: int = 0
    bytes: int = 0
    known: tuple[JobPhase, int, int] | None = None
    question: Question | None = None
    doom: Err | None = None
    group: tuple[HeldAttempt, ...] = ()

    @property
    def key(self) -> Key:
        """Job and attempt."""
        return self.job, self.attempt

    @property
    def together(self) -> tuple[HeldAttempt, ...]:
        """All that lives and falls with it."""
        return self.group or (self,)

    @property
    def leader(self) -> HeldAttempt:
        """The first of its group."""
        return self.together[0]

    @property
    def waits(self) -> bool:
        """Whether it waits for its contracts, and the sentinel knows."""
        if self.phase is not JobPhase.SURVEYED:
            return False
        leader = self.group[0] if self.group else self  # asked of thousands, several times a second
        return leader.question is None

    @property
    def has_news(self) -> bool:
        """Whether the sentinel is not known to have heard how far it is."""
        return self.known != (self.phase, self.rows, self.bytes)

    def progress(self, now: float) -> Progress:
        """How far it is. Only a parser can be silent: what the host does itself ends by itself."""
        silent = max(0.0, now - self.heard) if self.phase is JobPhase.PARSING else 0.0
        return Progress(
            job=self.job,
            attempt=self.attempt,
            phase=self.phase,
            rows=self.rows,
            bytes=self.bytes,
            silent_ms=int(silent * 1000),
        )


def join(held: Mapping[Key, HeldAttempt], keys: Sequence[Key], phase: JobPhase) -> tuple[HeldAttempt, ...]:
    """These attempts as one group in that phase; if one of them was stopped, all are, and there is no group."""
    found = tuple(held[key] for key in keys if key in held)
    is_whole = len(found) == len(keys) and all(each.phase is not JobPhase.STOPPING for each in found)
    for each in found:
        each.phase = phase if is_whole else JobPhase.STOPPING
        each.group = found if is_whole and phase is not JobPhase.STOPPING else ()
    return found if is_whole else ()


def part(attempt: HeldAttempt) -> tuple[HeldAttempt, ...]:
    """The group of an attempt, which is none any more: each of it stops."""
    group = attempt.together
    for each in group:
        each.phase, each.group = JobPhase.STOPPING, ()
    return group


def doom(group: Sequence[HeldAttempt], code: str, message: str) -> None:
    """Why each of these fails once nothing of it remains. Of several one is the cause: they are tried again, alone."""
    for each in group:
        each.doom = Err(code=code, message=message, transient=len(group) > 1)


class Lines:
    """What a parser printed in one attempt, kept until the sentinel has it."""

    def __init__(self, job: int, attempt: int) -> None:
        self._job = job
        self._attempt = attempt
        self._first = 0
        self._kept: list[LogLine] = []
        self._told = 0
        self._told_at = 0.0

    @property
    def has_news(self) -> bool:
        """Whether there are lines that were never told."""
        return self._told < len(self._kept)

    @property
    def is_empty(self) -> bool:
        """Whether the sentinel has every line."""
        return not self._kept

    def add(self, lines: list[LogLine]) -> None:
        """Number lines on."""
        self._kept += lines

    def take(self, now: float, resend_seconds: float) -> Printed | None:
        """The next lines to tell: those never told, or all again if nobody confirmed them for so long."""
        if self._told and now - self._told_at >= resend_seconds:
            self._told = 0
        lines = self._kept[self._told : self._told + LINES_AT_ONCE]
        if not lines:
            return None
        first = self._first + self._told
        self._told += len(lines)
        self._told_at = now
        return Printed(job=self._job, attempt=self._attempt, first=first, lines=lines)

    def confirm(self, printed: Printed) -> None:
        """The sentinel has these lines; they count if it has all that came before them, too."""
        if printed.first <= self._first:
            count = max(0, min(printed.first + len(printed.lines) - self._first, len(self._kept)))
            del self._kept[:count]
            self._first += count
            self._told = max(0, self._told - count)
