"""Rows of the exact reader, gathered into batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from casparian_flow.sdk import Rows
from delimited_layout import Layout

ROWS = 8192
BYTES = 2 << 20


class Gatherer:
    """Collects rows of one table until they make a batch."""

    def __init__(self, output: str, layout: Layout) -> None:
        self._output = output
        self._layout = layout
        self._rows: list[list[bytes | None]] = []
        self._places: list[tuple[int, int, int]] = []
        self._bytes = 0

    def add(self, fields: list[bytes | None], row: int, start: int, end: int) -> bool:
        """Keep one row; True when there are enough for a batch."""
        self._rows.append(fields)
        self._places.append((row, start, end))
        self._bytes += end - start
        return len(self._rows) >= ROWS or self._bytes >= BYTES

    def flush(self) -> Rows | None:
        """The rows gathered so far."""
        if not self._rows:
            return None
        columns = [pa.array(column, pa.binary()).cast(pa.string()) for column in zip(*self._rows, strict=True)]
        places = np.array(self._places, np.int64)
        self._rows, self._places, self._bytes = [], [], 0
        batch = pa.RecordBatch.from_arrays(columns[: self._layout.arity], schema=self._layout.schema)
        row, start, end = (np.ascontiguousarray(places[:, i]) for i in range(3))
        return Rows(self._output, batch, row, start, end)
