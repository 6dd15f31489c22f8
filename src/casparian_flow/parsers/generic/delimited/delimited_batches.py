"""Rows of both readers gathered into batches of a good size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
from delimited_layout import Layout

from casparian_flow.sdk import Rows

ENOUGH_ROWS = 8192
MOST_ROWS = 16384
ENOUGH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """Verified records: their columns, and where each starts and ends in the window."""

    columns: pa.RecordBatch
    starts: np.ndarray
    ends: np.ndarray
    end: int


def batch_of(columns: Sequence[Sequence[bytes | None]], schema: pa.Schema) -> pa.RecordBatch:
    """Columns of text, each of at least one cell and all equally long, as a batch; they are converted as one."""
    count = len(columns[0])
    cells = pa.array(list(chain.from_iterable(columns)), pa.string())
    arrays = [cells.slice(at, count) for at in range(0, len(cells), count)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class Gatherer:
    """Holds the rows of one table, in source order, until they make a batch."""

    def __init__(self, output: str, layout: Layout) -> None:
        self._output = output
        self._arity = layout.arity
        self._schema = layout.schema
        self._rows: list[list[bytes | None]] = []
        self._row_places: list[tuple[int, int, int]] = []
        self._batches: list[pa.RecordBatch] = []
        self._places: list[np.ndarray | tuple[np.ndarray, ...]] = []
        self._count = 0
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to flush."""
        return self._count >= ENOUGH_ROWS or self._bytes >= ENOUGH_BYTES

    def add_row(self, fields: list[bytes | None], row: int, start: int, end: int) -> None:
        """Keep one row of the exact reader."""
        self._rows.append(fields)
        self._row_places.append((row, start, end))
        self._count += 1
        self._bytes += end - start

    def add_block(self, columns: pa.RecordBatch, first_row: int, starts: np.ndarray, ends: np.ndarray) -> None:
        """Keep a block of the vectorised reader."""
        self._seal_rows()
        rows = np.arange(first_row, first_row + len(starts), dtype=np.int64)
        self._batches.append(columns)
        self._places.append((rows, starts, ends))
        self._count += len(starts)
        self._bytes += int(ends[-1] - starts[0])

    def flush(self) -> Iterator[Rows]:
        """Everything gathered so far."""
        self._seal_rows()
        if not self._batches:
            return
        batch = self._batches[0] if len(self._batches) == 1 else pa.concat_batches(self._batches)
        row, start, end = self._places[0] if len(self._places) == 1 else np.concatenate(self._places, axis=1)
        self._batches, self._places, self._count, self._bytes = [], [], 0, 0
        for at in range(0, batch.num_rows, MOST_ROWS):
            part = slice(at, at + MOST_ROWS)
            yield Rows(self._output, batch.slice(at, MOST_ROWS), row[part], start[part], end[part])

    def _seal_rows(self) -> None:
        if self._rows:
            columns = list(zip(*self._rows, strict=True))[: self._arity]
            self._batches.append(batch_of(columns, self._schema))
            self._places.append(np.array(self._row_places, np.int64).T)
            self._rows, self._row_places = [], []
