"""Rows as one table of a DuckDB file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.sinks.database_types import stored_type, to_stored
from casparian_flow.sinks.duckdb_file import STORAGE_VERSION, DuckDB

MEMORY = "512MB"


def write_duckdb(path: Path, reader: pa.RecordBatchReader, table: str) -> None:
    """A new file that holds the rows under the table's name.

    Values are kept as the sink `duckdb://` keeps them: times in a zone are UTC without one, times of day are text,
    spans of time whole nanoseconds. Raises OSError where the disk fails.
    """
    schema = pa.schema([pa.field(field.name, stored_type(field.type, _is_native)) for field in reader.schema])
    place = f'made."{table.replace(chr(34), chr(34) * 2)}"'
    try:
        with duckdb.connect(config={"memory_limit": MEMORY, "autoload_known_extensions": "false"}) as connection:
            connection.execute(f"ATTACH '{_escaped(path)}' AS made (STORAGE_VERSION '{STORAGE_VERSION}')")
            connection.execute("BEGIN")
            connection.register("rows", schema.empty_table())
            connection.execute(f"CREATE TABLE {place} AS FROM rows")
            for batch in reader:  # one by one, so that an error of the rows is not one of the database
                connection.register("rows", pa.Table.from_batches([_stored(batch, schema)]))
                connection.execute(f"INSERT INTO {place} FROM rows")
            connection.execute("COMMIT")
            connection.execute("DETACH made")
    except duckdb.Error as exc:
        raise OSError(str(exc).splitlines()[0]) from exc


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _stored(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        column if field.type == column.type else to_stored(_decoded(column), _is_native)
        for field, column in zip(schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _is_native(kind: pa.DataType) -> bool:
    """Whether a value stays as it is: all but those of which a file of that age would lose a part."""
    return DuckDB().is_native(kind) or not (pt.is_temporal(kind) or pt.is_nested(kind) or pt.is_dictionary(kind))


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pt.is_dictionary(column.type) else column
