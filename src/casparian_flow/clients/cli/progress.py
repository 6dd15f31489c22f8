"""Shows how far a long command is: two redrawn lines on a terminal, a line now and then in a pipe, or JSON lines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from casparian_flow.clients.cli.face import Face
from casparian_flow.clients.cli.tally import STARTING, Tally
from casparian_flow.core.times import rfc3339

if TYPE_CHECKING:
    from rich.live import Live

    from casparian_flow.operations.context import Report

SCHEMA = "casparian.progress/1"
DELAY = 0.3
"""A command that is faster shows its first word only."""
REDRAW_EVERY = 0.1
SAY_EVERY = 5.0


class Drawing(Protocol):
    """Where lines are drawn; `draw` may be called as often as events come."""

    every: float

    def begin(self) -> None:
        """Say that work has begun."""

    def draw(self, lines: tuple[str, str]) -> None:
        """Show these lines instead of the ones before."""

    def close(self) -> None:
        """Leave the stream as it was found."""


@contextmanager
def progress(face: Face) -> Iterator[Report]:
    """A report to hand to an operation; what it says is shown on standard error while the block lasts.

    A first word is there at once: enter the block before anything that takes long to import.
    """
    options = face.options
    if options.progress == "jsonl":
        events = Events(sys.stderr, time.monotonic)
        events("command.started", {})
        try:
            yield events
        finally:
            events("command.ended", {})
        return
    if options.quiet or options.agent or options.progress == "none":
        yield lambda _event, _values: None
        return
    is_redrawn = sys.stderr.isatty() and not face.is_accessible and os.environ.get("TERM") != "dumb"
    drawing: Drawing = Redrawn(sys.stderr) if is_redrawn else Appended(sys.stderr)
    # Whoever reads JSON may read errors from there, and a first word would stand before them.
    if is_redrawn or options.format not in ("json", "jsonl"):
        drawing.begin()
    try:
        yield Watcher(drawing, time.monotonic)
    finally:
        drawing.close()


class Events:
    """Takes events as a `Report` and writes each as one line of JSON; those that only count on, now and then."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._due: dict[str, float] = {}

    def __call__(self, event: str, values: Mapping[str, object]) -> None:
        """Write one event, unless it only counts on and the last one of its name was a moment ago."""
        now = self._clock()
        if event.endswith(".progressed") and now < self._due.get(event, now):
            return
        self._due[event] = now + REDRAW_EVERY
        line = {"schema": SCHEMA, "event": event, "at": rfc3339(time.time_ns()), "values": dict(values)}
        self._stream.write(json.dumps(line, default=str) + "\n")
        self._stream.flush()


class Watcher:
    """Takes events as a `Report` and draws at most as often as the drawing likes."""

    def __init__(self, drawing: Drawing, clock: Callable[[], float]) -> None:
        self._drawing = drawing
        self._clock = clock
        self._tally = Tally()
        self._due = clock() + max(DELAY, drawing.every)

    def __call__(self, event: str, values: Mapping[str, object]) -> None:
        """Take in one event."""
        now = self._clock()
        self._tally.add(event, values, now)
        if now >= self._due:
            self._due = now + self._drawing.every
            self._drawing.draw(self._tally.lines(now))


class Appended:
    """Plain lines one after another."""

    every = SAY_EVERY

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""

    def begin(self) -> None:
        """Write one word, which stays."""
        self.draw((STARTING, ""))

    def draw(self, lines: tuple[str, str]) -> None:
        """Write both as one line, unless it is the last one."""
        line = "; ".join(filter(None, lines))
        if line != self._last:
            self._last = line
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing was borrowed."""


class Redrawn:
    """Two lines at the foot of the terminal, gone when the command is over."""

    every = REDRAW_EVERY

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live: Live | None = None

    def begin(self) -> None:
        """Write one word; the first lines are drawn over it."""
        self._stream.write(f"{STARTING}\r")
        self._stream.flush()

    def draw(self, lines: tuple[str, str]) -> None:
        """Draw over the lines before."""
        # A quarter of a second's import, so only for a command that takes longer than that.
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            self._wipe()
            self._live = Live(console=Console(file=self._stream), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Text("\n".join(lines), overflow="ellipsis", no_wrap=True), refresh=True)

    def close(self) -> None:
        """Take the lines away."""
        if self._live is not None:
            self._live.stop()
        else:
            self._wipe()

    def _wipe(self) -> None:
        self._stream.write("\x1b[2K")
        self._stream.flush()
