"""What a guest prints: cut into lines, capped per job, its last lines kept for error messages."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

from casparian_flow.worker.events import Printed

_CHUNK = 1 << 16
_MAX_LINE = 4_096
_TAIL = 4_096
_LAST_LINES = 20
_MAX_CHUNKS = 64
"""Most chunks taken in one go: a parser that prints without end must not keep its host from the clock."""


class Printout:
    """Drains the pipes of one guest."""

    def __init__(self, pipes: dict[str, int], log_bytes: int) -> None:
        self._pipes = pipes
        self._limit = log_bytes
        self._kept = 0
        self._partial = dict.fromkeys(pipes, b"")
        self._tail = b""
        self.dropped = 0
        self.closed: set[str] = set()
        self._poll = select.poll()
        for pipe in pipes.values():
            self._poll.register(pipe, select.POLLIN)

    def start_job(self) -> None:
        """Count from zero again."""
        self._kept = self.dropped = 0

    def drain(self, stream: str, job: int | None) -> Iterator[Printed]:
        """The lines that are in one pipe now; ends as soon as it is empty."""
        for _ in range(_MAX_CHUNKS):
            try:
                piece = os.read(self._pipes[stream], _CHUNK)
            except BlockingIOError:
                return
            if not piece:
                self.closed.add(stream)
                return
            if stream == "stderr":
                self._tail = (self._tail + piece)[-_TAIL:]
            yield from self._lines(stream, piece, job)

    def drain_all(self, job: int | None) -> Iterator[Printed]:
        """Everything that is in the pipes now, unfinished lines included."""
        ready = {pipe for pipe, _ in self._poll.poll(0)}  # mostly none: cheaper than to ask each
        for stream, pipe in self._pipes.items():
            if pipe in ready:
                yield from self.drain(stream, job)
            if rest := self._partial[stream]:
                self._partial[stream] = b""
                yield Printed(job, stream, rest.decode("utf-8", "replace"))

    @property
    def last_lines(self) -> str:
        """The end of what it wrote to stderr, on one line."""
        lines = self._tail.decode("utf-8", "replace").splitlines()
        return " | ".join(line.strip() for line in lines[-_LAST_LINES:] if line.strip())

    def _lines(self, stream: str, piece: bytes, job: int | None) -> Iterator[Printed]:
        room = max(0, self._limit - self._kept)
        self.dropped += max(0, len(piece) - room)
        piece = piece[:room]
        self._kept += len(piece)
        *lines, rest = (self._partial[stream] + piece).split(b"\n")
        while len(rest) > _MAX_LINE:
            lines.append(rest[:_MAX_LINE])
            rest = rest[_MAX_LINE:]
        self._partial[stream] = rest
        for line in lines:
            yield Printed(job, stream, line.decode("utf-8", "replace").rstrip("\r"))
