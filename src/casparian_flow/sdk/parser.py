"""The parser API: a module-level `parse`, or a `Handler` that publishes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Span(NamedTuple):
    """One record of a file that was read before: its ordinal then, and the bytes `[start, end)` that it said it has."""

    source_row: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Context:
    """What a parser is told about the file besides its path."""

    source_hash: str
    file_version_id: int
    options: Mapping[str, Any] = field(default_factory=dict)
    spans: tuple[Span, ...] | None = None
    """The records to be read, in ascending order and apart from each other; None: the whole file.

    Only a parser whose manifest says `rereads="spans"` gets any. It yields exactly what it yields of these records when
    it reads the whole file with the same options: the same rows and rejections, with the same `source_row`, `start` and
    `end`, and nothing else. It need not know what stands before a span: the ordinals are those that it gave itself, and
    what it found out about the file is in `verdicts`.
    """
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """Where spans are to be read: what the parser said of the file when it read the whole of it, by name."""


@dataclass(frozen=True, slots=True)
class FileEvent:
    """What `consume(event)` receives: one file version to parse."""

    path: Path
    context: Context


class BasePlugin:
    """A parser as a class named `Handler`: define `execute(path)` or `consume(event)`.

    Both may yield `(output, data)` and call `publish(output, data)`; what is published while one item is
    being made goes out before the next.
    """

    def __init__(self) -> None:
        self._published: list[Any] = []

    def configure(self, ctx: Context, config: Mapping[str, Any]) -> None:
        """Called once before the first file where a subclass defines it; the base keeps nothing."""

    def publish(self, output: str, data: Any) -> None:
        """Send `data` (a table, a frame, a list of dicts, a dict of lists) to `output`."""
        self._published.append((output, data))

    def drain_published(self) -> Iterator[Any]:
        """What was published since the last call, in order; used by the guest."""
        published, self._published = self._published, []
        yield from published
