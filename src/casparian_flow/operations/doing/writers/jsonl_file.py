"""Rows as JSON Lines: one object per row, every column in it, null where there is no value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.schema.rendering import json_values

MOST_BYTES = 64 << 20
"""Of values that are made into text at once: JSON may be several times as long, and an array holds 2 GB."""


def write_jsonl(file: BinaryIO, reader: pa.RecordBatchReader) -> None:
    """Whole numbers are written with all their digits, decimals as text, so that no reader rounds them."""
    keys = [f"{'{' if at == 0 else ','}{_key(name)}:" for at, name in enumerate(reader.schema.names)]
    for batch in reader:
        for part in _small(batch):
            if part.num_rows:
                file.write(_lines(keys, part))


def _key(name: str) -> str:
    return str(json_values(pa.array([name]))[0])


def _lines(keys: list[str], batch: pa.RecordBatch) -> memoryview:
    pieces = [piece for key, column in zip(keys, batch.columns, strict=True) for piece in (key, json_values(column))]
    lines = pc.binary_join_element_wise(*pieces, "}\n", "")
    offsets, data = lines.buffers()[1:]
    bounds = memoryview(offsets).cast("i")
    return memoryview(data)[bounds[lines.offset] : bounds[lines.offset + len(lines)]]


def _small(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in parts that are not too large; one row is as large as it is."""
    if batch.nbytes <= MOST_BYTES or batch.num_rows <= 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _small(batch.slice(0, half))
    yield from _small(batch.slice(half))
