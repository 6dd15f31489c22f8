"""A worker in a terminal: what it says while it works, and which signals end it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from casparian_flow.clients.cli.render import plain

SAID = {
    "worker.lost": "the sentinel is not heard any more: what was being read here is given up; waiting for it",
    "worker.kept": "job {job}: what it had staged could not be removed: {message}",
}
JOINED = "joined as {worker}"
JOINED_AGAIN = "joined again as {worker}"


class Ending(Protocol):
    """What can be made to end, from a signal's handler too."""

    def leave(self) -> None:
        """Finish what is begun, then end."""

    def stop(self) -> None:
        """Give up what is begun, then end."""

    def close(self) -> None:
        """End now."""


class Told:
    """Says what happens to a worker, a line each."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._has_joined = False

    def __call__(self, event: str, values: dict[str, object]) -> None:
        """Say one event."""
        text = SAID.get(event)
        if event == "worker.joined":
            text = JOINED_AGAIN if self._has_joined else JOINED
            self._has_joined = True
        if text is not None:
            self._note(text.format(**{name: plain(str(value)) for name, value in values.items()}))


@contextmanager
def heeding_signals(working: Ending) -> Iterator[None]:
    """SIGTERM lets it finish what is begun, Ctrl-C or a second SIGTERM does not; a further one ends it now."""
    steps = [working.leave, working.stop, working.close]

    def heed(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and len(steps) > 2:
            del steps[0]
        steps[0]()
        if len(steps) > 1:
            del steps[0]

    before = {number: signal.signal(number, heed) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
