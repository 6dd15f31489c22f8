"""Every attempt that a worker has in hand, those that only wait for their contracts aside: they may be thousands."""

from __future__ import annotations

from collections.abc import Iterable

from casparian_flow.core.jobs import JobPhase
from casparian_flow.worker.held import HeldAttempt, Key


class InHand(dict[Key, HeldAttempt]):
    """By job and attempt. `busy` are those of which there may be news; whoever is set aside is not among them."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: dict[Key, HeldAttempt] = {}

    def begin(self, key: Key, phase: JobPhase, now: float) -> HeldAttempt:
        """One more attempt."""
        attempt = self[key] = self.busy[key] = HeldAttempt(*key, phase, now)
        return attempt

    def end(self, attempts: Iterable[HeldAttempt]) -> None:
        """They are over."""
        for each in attempts:
            del self[each.key]
            self.busy.pop(each.key, None)

    def set_aside(self, attempts: Iterable[HeldAttempt]) -> None:
        """They wait for their contracts, and the sentinel knows."""
        for each in attempts:
            self.busy.pop(each.key, None)

    def bring_back(self, attempts: Iterable[HeldAttempt]) -> None:
        """There is news of them."""
        for each in attempts:
            if each.key in self:
                self.busy[each.key] = each
