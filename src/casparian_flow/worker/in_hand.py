"""Every attempt that a worker has in hand, those that only wait for their contracts aside: they may be thousands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from casparian_flow.core.jobs import JobPhase
from casparian_flow.worker.held import HeldAttempt, Key


class InHand(Mapping[Key, HeldAttempt]):
    """By job and attempt. Whoever is set aside is not among the busy ones, of which there may be news."""

    def __init__(self) -> None:
        self._all: dict[Key, HeldAttempt] = {}
        self._busy: dict[Key, HeldAttempt] = {}

    def __getitem__(self, key: Key) -> HeldAttempt:
        return self._all[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, key: object) -> bool:
        return key in self._all

    @property
    def busy(self) -> Collection[HeldAttempt]:
        """Those of which there may be news."""
        return self._busy.values()

    def begin(self, key: Key, phase: JobPhase, now: float) -> HeldAttempt:
        """One more attempt."""
        attempt = self._all[key] = self._busy[key] = HeldAttempt(*key, phase, now)
        return attempt

    def end(self, attempts: Iterable[HeldAttempt]) -> None:
        """They are over."""
        for each in attempts:
            del self._all[each.key]
            self._busy.pop(each.key, None)

    def set_aside(self, attempts: Iterable[HeldAttempt]) -> None:
        """They wait for their contracts, and the sentinel knows."""
        for each in attempts:
            self._busy.pop(each.key, None)

    def bring_back(self, attempts: Iterable[HeldAttempt]) -> None:
        """There is news of them."""
        for each in attempts:
            if each.key in self._all:
                self._busy[each.key] = each
