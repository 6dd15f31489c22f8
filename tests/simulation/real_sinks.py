"""The sinks of a world with real Parquet files under them: the same laws, and tables that anyone can read."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.sink_builders import DIGEST, a_batch, stamped

from casparian_flow.core.outputs import PermittedEntry, Role, SealedFile, SealedOutput
from casparian_flow.core.receipts import Receipt
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.lineage import stamped_schema
from casparian_flow.sinks.parquet_format import ParquetFormat
from casparian_flow.worker.held import Key

from .rows import ROWS
from .sinks import Sinks, Violation


class RealSinks(Sinks):
    """Everything that is staged, promoted, discarded and swept is so in folders, too."""

    def __init__(self, chance: random.Random, root: Path) -> None:
        super().__init__(chance)
        self._root = root
        self._written: dict[Attempt, list[SealedOutput]] = defaultdict(list)

    def seal(self, keys: Sequence[Key], receipts: list[Receipt]) -> list[Receipt]:
        """The receipts with the files that were really written: one for every place, with the rows of all its jobs."""
        leader = Attempt(job=keys[0][0], attempt=keys[0][1])
        brought: dict[tuple[str, str], list[int]] = defaultdict(list)
        for (job, _attempt), receipt in zip(keys, receipts, strict=True):
            for output in receipt.outputs:
                brought[output.sink, output.table].append(job)
        files = {place: self._write(leader, *place, jobs) for place, jobs in brought.items()}
        found = []
        for receipt in receipts:
            outputs = [
                replace(
                    output, files=tuple(replace(file, rows=output.rows) for file in files[output.sink, output.table])
                )
                for output in receipt.outputs
            ]
            found.append(replace(receipt, outputs=tuple(outputs)))
        return super().seal(keys, found)

    def _write(self, leader: Attempt, sink: str, table: str, jobs: list[int]) -> tuple[SealedFile, ...]:
        batch = a_batch((0,))
        staged = self._folder(sink).stage(leader, table, Role.ACCEPTED, 1, stamped_schema(batch.schema))
        for job in jobs:
            staged.write(stamped(a_batch(_numbers(job, ROWS)), job))
        output = staged.seal(DIGEST, DIGEST)
        self._written[leader].append(output)
        return output.files

    def promote(self, permitted: PermittedEntry) -> None:
        """Write one entry, in memory and in the folder's log."""
        super().promote(permitted)
        self._folder(permitted.sink).promote([permitted])

    def discard(self, attempt: Attempt, uri: str | None = None) -> None:
        """Remove what an attempt staged and nobody sees."""
        before = set(self._staged)
        super().discard(attempt, uri)
        gone = {(sink, table) for sink, table, _name in before - set(self._staged)}
        for output in self._written.get(attempt, ()):
            if (output.sink, output.table) in gone:
                self._folder(output.sink).discard(attempt, [output])

    def sweep(self, uri: str, keep: Sequence[Attempt]) -> int:
        """As `Sink.sweep`, in memory and in the folder."""
        self._folder(uri).sweep(keep)
        return super().sweep(uri, keep)

    def check_end(self) -> None:
        """Raises Violation unless the tables that anyone can read hold exactly the rows that are visible."""
        expected: Counter[tuple[str, str, int]] = Counter()
        for job, places in self.shown.items():
            for place in places:
                for number in _numbers(job, 3):
                    expected[place.uri, place.table, number] += 1
        found: Counter[tuple[str, str, int]] = Counter()
        for uri in {sink for sink, *_ in self._entries}:
            folder = self._folder(uri)
            for table in folder.tables(Role.ACCEPTED):
                for number in folder.read(table, Role.ACCEPTED).read_all().column("n").to_pylist():
                    found[uri, table, number] += 1
        if found != expected:
            raise Violation(f"tables hold {found - expected} too much, and {expected - found} is missing")

    def _folder(self, uri: str) -> FolderSink:
        return FolderSink(uri, self._root / uri.rpartition("/")[2], ParquetFormat())


def _numbers(job: int, rows: int) -> range:
    """The rows of a job, the same in every attempt and of no other job."""
    return range(job * 10, job * 10 + rows)
