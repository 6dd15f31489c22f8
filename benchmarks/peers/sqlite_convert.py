"""The sqlite3 module and pyarrow copy one table into a Parquet file: TABLE DATABASE TARGET."""

from __future__ import annotations

import sqlite3
import sys

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 16_384


def main() -> None:
    table, source, target = sys.argv[1:]
    cursor = sqlite3.connect(f"file:{source}?mode=ro", uri=True).execute(f'SELECT * FROM "{table}"')
    names = [column[0] for column in cursor.description]
    writer = None
    while rows := cursor.fetchmany(ROWS):
        columns = [pa.array(column) for column in zip(*rows, strict=True)]
        batch = pa.record_batch(columns, names)
        writer = writer or pq.ParquetWriter(target, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main()
