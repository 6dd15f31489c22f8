"""Whom a worker listens to: the one sentinel that accepted it last, and of its messages only new ones."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from casparian_flow.protocol.bodies import Ack, Err, Terms
from casparian_flow.protocol.codec import Message
from casparian_flow.worker.pulse import newest

_FORMER_SENTINELS = 16


class News(Enum):
    """What a message is to a worker."""

    NEW = auto()
    OLD = auto()
    STRANGE = auto()
    """It is of a sentinel that the worker does not know: that one has to be told who the worker is."""


class Hearing:
    """Its sentinel's session, the last message of it that was taken in (`seen`), and the terms between the two."""

    def __init__(self) -> None:
        self.terms: Terms | None = None
        self.seen = 0
        self._session = ""
        self._former: deque[str] = deque(maxlen=_FORMER_SENTINELS)
        self._identified: dict[int, float] = {}

    def identified(self, seq: int, now: float) -> None:
        """The worker has said who it is, under that number."""
        self._identified = newest({**self._identified, seq: now})

    def is_about_identify(self, of: int) -> bool:
        """Whether an answer is to an IDENTIFY that may still be answered."""
        return of in self._identified

    def accepted(self, of: int, terms: Terms, now: float) -> float:
        """These terms hold from now on; when the IDENTIFY was sent that brought them."""
        sent = self._identified.get(of, now)
        self.terms = terms
        self._identified.clear()
        return sent

    def judge(self, message: Message) -> News:
        """Whether a message counts: it is the newest of the sentinel that accepted this worker, or does that now."""
        if message.session == self._session:
            if message.seq <= self.seen:
                return News.OLD
            self.seen = message.seq
            return News.NEW
        if message.session in self._former:
            return News.OLD
        body = message.body
        if isinstance(body, Ack) and body.terms is not None and body.of in self._identified:
            if self.terms is not None and body.terms.incarnation < self.terms.incarnation:
                return News.OLD
            if self._session:
                self._former.append(self._session)
            self._session, self.seen = message.session, message.seq
            return News.NEW
        return News.NEW if isinstance(body, Err) and body.of in self._identified else News.STRANGE
