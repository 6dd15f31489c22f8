"""The parser API: a module-level `parse`, or a `Handler` that publishes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Context:
    """What a parser is told about the file besides its path."""

    source_hash: str
    file_version_id: int
    options: Mapping[str, Any] = field(default_factory=dict)


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
