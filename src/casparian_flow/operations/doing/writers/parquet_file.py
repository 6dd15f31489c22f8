"""Rows as one Parquet file."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(file: BinaryIO, reader: pa.RecordBatchReader) -> None:
    """Every column keeps its type; a table without rows is a file with columns."""
    with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
