"""Rows as one table of a DuckDB file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.errors import UsageError

STORAGE_VERSION = "v1.2.0"
"""So that clients of other versions open the file."""
MEMORY = "512MB"


def write_duckdb(path: Path, reader: pa.RecordBatchReader, table: str) -> None:
    """A new file that holds the rows under the table's name.

    Times of nanoseconds in a zone are UTC without one, spans of time are whole nanoseconds: the types of that age have
    nothing nearer. Raises UsageError where a time of day is finer than a microsecond, OSError where the disk fails.
    """
    schema = pa.schema([pa.field(field.name, _type(field.type)) for field in reader.schema])
    place = f'made."{table.replace(chr(34), chr(34) * 2)}"'
    try:
        with duckdb.connect(config={"memory_limit": MEMORY, "autoload_known_extensions": "false"}) as connection:
            connection.execute(f"ATTACH '{_escaped(path)}' AS made (STORAGE_VERSION '{STORAGE_VERSION}')")
            connection.execute("BEGIN")
            connection.register("rows", schema.empty_table())
            connection.execute(f"CREATE TABLE {place} AS FROM rows")
            for batch in reader:  # one by one, so that an error of the rows is not one of the database
                connection.register("rows", pa.Table.from_batches([_converted(batch, schema)]))
                connection.execute(f"INSERT INTO {place} FROM rows")
            connection.execute("COMMIT")
            connection.execute("DETACH made")
    except duckdb.Error as exc:
        raise OSError(str(exc).splitlines()[0]) from exc


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _type(kind: pa.DataType) -> pa.DataType:
    if pt.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("ns")
    if pt.is_time64(kind):
        return pa.time64("us")
    if pt.is_duration(kind):
        return pa.int64()
    return kind


def _converted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field, column in zip(schema, batch.columns, strict=True):
        try:
            columns.append(column if field.type == column.type else column.cast(field.type))
        except pa.ArrowInvalid as exc:
            raise UsageError(
                f"the column {field.name} cannot be written to a DuckDB file",
                why="its times of day are finer than a microsecond",
                fix="--format parquet",
            ) from exc
    return pa.RecordBatch.from_arrays(columns, schema=schema)
