"""The sinks of one order: which table goes where, and what belongs to which of them afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from casparian_flow.core.outputs import PermittedEntry, SealedOutput
from casparian_flow.core.routes import Routes
from casparian_flow.sinks.base import Attempt, Sink, Staging
from casparian_flow.worker.known_keys import KnownKeys, KnownTables

Belonging = TypeVar("Belonging", PermittedEntry, SealedOutput)


class Destination(Protocol):
    """Where the tables of a job are staged, whoever reads them in the end."""

    def sinks_of(self, table: str) -> Sequence[Staging]:
        """The places that a table is written to; never none."""

    def committed(self, table: str) -> Sink | None:
        """Where rows of a table can be read that were committed before; None where nobody knows of commits."""

    def discard(self, attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
        """Remove what an attempt sealed."""

    def keys_of(
        self, table: str, names: Sequence[str], types: Sequence[str], without: Collection[int], folder: Path
    ) -> KnownKeys | None:
        """The keys that columns of a table make up in what was committed; None where nobody knows of commits."""


class Targets:
    """Routes with the sinks that they name."""

    def __init__(self, routes: Routes, open_sink: Callable[[str], Sink], known: KnownTables | None = None) -> None:
        """`known` are the keys that were read before."""
        self._routes = routes
        self._open_sink = open_sink
        self._known = known or KnownTables()

    def sinks_of(self, table: str) -> list[Sink]:
        """The sinks that a table is written to."""
        return [self._open_sink(target.uri) for target in self._routes.targets_of(table)]

    def committed(self, table: str) -> Sink:
        """The first sink of a table."""
        return self.sinks_of(table)[0]

    def keys_of(
        self, table: str, names: Sequence[str], types: Sequence[str], without: Collection[int], folder: Path
    ) -> KnownKeys:
        """The keys that columns of a table make up in its first sink, but for the rows of the jobs `without`.

        Values are compared as of `types`; what does not fit into memory lies in `folder`. Raises RuleInvalid if the
        table has no such columns.
        """
        return self._known.keys(self.sinks_of(table)[0], table, names, types, without, folder)

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        """Make permitted entries visible in every sink that can be reached; raises SinkError if one cannot."""
        with ExitStack() as stack:
            for uri, its in reversed(_by_sink(entries).items()):
                stack.callback(partial(self._open_sink(uri).promote, its))

    def discard(self, attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
        """Remove what an attempt sealed from every sink that can be reached; raises SinkError if one cannot."""
        discard(self._open_sink, attempt, outputs)


def discard(open_sink: Callable[[str], Sink], attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
    """Remove what an attempt sealed from every sink that can be reached; raises SinkError if one cannot."""
    with ExitStack() as stack:
        for uri, its in reversed(_by_sink(outputs).items()):
            stack.callback(partial(open_sink(uri).discard, attempt, its))


def _by_sink(things: Sequence[Belonging]) -> dict[str, list[Belonging]]:
    found: dict[str, list[Belonging]] = defaultdict(list)
    for thing in things:
        found[thing.sink].append(thing)
    return found
