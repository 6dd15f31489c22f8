"""Rows of a job whose table is not yet known, kept as they came in the staging folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.lineage import SOURCE_ROW

START = "_cf_start"
END = "_cf_end"
_POSITIONS = (SOURCE_ROW, START, END)


class Spill:
    """A file of Arrow streams, one after another: a new one begins when the schema changes.

    Not compressed: LZ4 takes off a third and costs three times what writing and reading do.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = pa.OSFile(str(path), "wb")
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None
        self.rows = 0

    def write(self, batch: pa.RecordBatch, source_row: pa.Array, start: pa.Array | None, end: pa.Array | None) -> None:
        """Keep one batch with the places of its rows."""
        unknown = pa.nulls(batch.num_rows, pa.int64())
        arrays = [*batch.columns, source_row, unknown if start is None else start, unknown if end is None else end]
        fields = [*batch.schema, *(pa.field(name, pa.int64()) for name in _POSITIONS)]
        schema = pa.schema(fields, metadata=batch.schema.metadata)
        if self._schema is None or not schema.equals(self._schema, check_metadata=True):
            self._end_stream()
            self._writer = pa.ipc.new_stream(self._file, schema)
            self._schema = schema
        assert self._writer is not None
        self._writer.write_batch(pa.record_batch(arrays, schema=schema))
        self.rows += batch.num_rows

    def close(self) -> None:
        """Finish the file."""
        self._end_stream()
        self._file.close()

    def _end_stream(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def read_spill(
    path: Path,
) -> Iterator[tuple[pa.RecordBatch, pa.Int64Array, pa.Int64Array | None, pa.Int64Array | None]]:
    """Each batch as it was written, with its source rows, starts and ends."""
    with pa.OSFile(str(path), "rb") as file:
        size = file.size()
        while file.tell() < size:
            with pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    columns = batch.num_columns - len(_POSITIONS)
                    source_row, start, end = batch.columns[columns:]
                    known = start.null_count < len(start)
                    yield (
                        batch.select(range(columns)),
                        source_row,
                        start if known else None,
                        end if known else None,
                    )
