"""The sinks of a world with the product's own under them: four kinds of target, real files, and death at any step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from casparian_flow.core.outputs import PermittedEntry, SealedFile
from casparian_flow.core.receipts import Receipt
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.sinks.layout import TableFolder, number_of
from casparian_flow.sinks.log import parse_entry
from casparian_flow.sinks.uri import FILE_SCHEMES, open_sink
from casparian_flow.worker.held import Key

from .mortality import Mortality
from .real_sinks import RealSinks
from .sinks import Sinks, Violation


class LandedSinks(RealSinks):
    """Each target of a world is of a kind that its seed decides."""

    def __init__(self, chance: random.Random, root: Path, mortality: Mortality) -> None:
        super().__init__(chance, root)
        self._mortality = mortality
        self._schemes = chance.sample(FILE_SCHEMES, len(FILE_SCHEMES))
        self._targets: dict[str, Sink] = {}

    def seal(self, keys: Sequence[Key], receipts: list[Receipt]) -> list[Receipt]:
        """Write what attempts found to files; whoever does it may die."""
        with self._mortality.at_risk():
            return super().seal(keys, receipts)

    def _write(self, leader: Attempt, sink: str, table: str, jobs: list[int]) -> tuple[SealedFile, ...]:
        files = super()._write(leader, sink, table, jobs)
        self._written[leader][-1] = replace(self._written[leader][-1], sink=sink)  # the world's name of the target
        return files

    def promote(self, permitted: PermittedEntry) -> None:
        """Write one entry, at the target first: nobody remembers more than there is."""
        self.may_fail(permitted.sink)
        with self._mortality.at_risk():
            self._folder(permitted.sink).promote([permitted])
        failing, self.failing = self.failing, 0.0
        try:
            Sinks.promote(self, permitted)
        finally:
            self.failing = failing

    def discard(self, attempt: Attempt, uri: str | None = None) -> None:
        """Remove what an attempt staged and nobody sees."""
        with self._mortality.at_risk():
            super().discard(attempt, uri)

    def sweep(self, uri: str, keep: Sequence[Attempt]) -> int:
        """As `Sink.sweep`."""
        with self._mortality.at_risk():
            return super().sweep(uri, keep)

    def check_end(self) -> None:
        """Raises Violation unless tables are right, logs can be read, and no file is there that no log names."""
        super().check_end()
        for uri in sorted({sink for sink, *_ in self._entries}):
            place = self._place(uri)
            if place.is_dir():
                left = _unnamed(place)
            else:
                left = sorted(path.name for path in place.parent.glob(f".{place.name}*"))
            if left:
                raise Violation(f"left behind at {uri}: {left}")

    def _folder(self, uri: str) -> Sink:
        if uri not in self._targets:
            self._targets[uri] = open_sink(f"{self._scheme(uri)}://{self._place(uri)}")
        return self._targets[uri]

    def _scheme(self, uri: str) -> str:
        return self._schemes[int("1.duckdb" in uri)]

    def _place(self, uri: str) -> Path:
        return self._root / f"{self._scheme(uri)}.{'db' if self._scheme(uri) in ('duckdb', 'sqlite') else 'files'}"


def _unnamed(root: Path) -> list[str]:
    """Files that no log entry of a folder names; raises Violation for a log with holes."""
    named = set()
    for log in root.glob("*/*/_cf/log"):
        table = TableFolder(log.parent.parent)
        numbers = sorted(number for path in log.iterdir() if (number := number_of(path.name)) is not None)
        if numbers != list(range(1, len(numbers) + 1)):
            raise Violation(f"the log of {table.path} has the entries {numbers}")
        named |= {table.readme, *(table.entry(number) for number in numbers), *table.checkpoints.glob("[0-9]*.json")}
        for number in numbers:
            for file in parse_entry(table.entry(number).read_bytes(), str(table.entry(number))).adds:
                path = table.path / file.name
                named |= {path, path.with_name("schema.json")}
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path not in named)
