"""One slot's line to the sentinel: what becomes of each job goes out, one answer for each sealed group comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import LogLine
from casparian_flow.protocol.bodies import Permit, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder
from casparian_flow.worker.actions import Fenced, Held


class Link(Protocol):
    """How a slot tells what it does, whatever carries the messages.

    Of every job of an order comes exactly one of `failed`, `surveyed`, `ask` and `stopped`. Jobs that are surveyed or
    asked about together are a group, its leader first: the outcome names them in the same order.
    """

    def started(self, job: JobOrder) -> None:
        """The parser has this file now."""

    def progressed(self, job: JobOrder, rows: int, position: int) -> None:
        """The parser gave a sign of life: so many rows so far, so many bytes into the file. May come very often."""

    def printed(self, job: JobOrder, lines: Sequence[LogLine]) -> None:
        """The parser wrote these lines."""

    def failed(self, job: JobOrder, error: CasparianError) -> None:
        """The attempt ended without a seal, and nothing of it remains.

        Or it leads a permitted group that could not be promoted.
        """

    def surveyed(self, jobs: Sequence[JobOrder], outcome: Surveyed) -> bool:
        """Parsed, and their rows wait for contracts; False if they are to be discarded now, and then each `stopped`."""
        ...

    def ask(self, jobs: Sequence[JobOrder], outcome: Sealed) -> Permit | Held | Fenced:
        """Ask for the permit of a sealed group and wait for the answer."""
        ...

    def concluded(self, jobs: Sequence[JobOrder]) -> None:
        """Every permitted entry of the group is visible."""

    def stopped(self, job: JobOrder) -> None:
        """Somebody wanted it stopped, or it may not commit: its guest is dead, what it staged is gone."""
