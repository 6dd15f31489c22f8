"""What a worker asks about its attempts until the sentinel answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from casparian_flow.protocol.bodies import Body
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.worker.held import HeldAttempt, Question

RESEND_SECONDS = 1.0
"""After this long without an answer a message is sent again."""


class Asking:
    """The open questions of all attempts. `due` is when one is to be sent again at the latest."""

    def __init__(self, send: Callable[[Opcode, Body, int, int], int]) -> None:
        """`send` gives the number under which it left, or raises BadMessage."""
        self._send = send
        self._asked: dict[int, HeldAttempt] = {}
        self.due = float("inf")

    def by(self, seq: int) -> HeldAttempt | None:
        """Whose question left under that number and is not answered."""
        return self._asked.get(seq)

    def begin(self, attempt: HeldAttempt, opcode: Opcode, body: Body, now: float) -> None:
        """Something new is to be asked about an attempt, in place of what was asked before."""
        self.answered(attempt)
        attempt.question = Question(opcode, body, now)

    def say(self, attempt: HeldAttempt, now: float) -> None:
        """Send an attempt's question, once more; raises BadMessage if no message can hold it."""
        question = attempt.question
        assert question is not None
        seq = self._send(question.opcode, question.body, attempt.job, attempt.attempt)
        question.seqs.append(seq)
        self._asked[seq] = attempt
        question.due = now + RESEND_SECONDS
        self.due = min(self.due, question.due)

    def answered(self, attempt: HeldAttempt) -> None:
        """Whatever the attempt asked need not be asked again."""
        if attempt.question is not None:
            for seq in attempt.question.seqs:
                del self._asked[seq]
            attempt.question = None

    def anew(self, held: Iterable[HeldAttempt], now: float) -> None:
        """Another sentinel listens: everything is to be asked now."""
        for attempt in held:
            if attempt.question is not None:
                attempt.question.due = now
        self.due = now

    def take_due(self, held: Iterable[HeldAttempt], now: float) -> list[HeldAttempt]:
        """The attempts whose question is to be sent again now."""
        self.due = float("inf")
        late = []
        for attempt in held:
            if attempt.question is not None and now >= attempt.question.due:
                late.append(attempt)
            elif attempt.question is not None:
                self.due = min(self.due, attempt.question.due)
        return late
