"""One worker's line to the sentinel: reports go out, answers come back."""

from __future__ import annotations

from typing import Protocol

from casparian_flow.protocol.messages import Answer, Report, Sealed


class Link(Protocol):
    """How a worker talks to its sentinel, whatever carries the messages."""

    def send(self, report: Report) -> None:
        """Report; nothing comes back."""

    def ask(self, sealed: Sealed) -> Answer:
        """Ask for a permit and wait for the answer."""
