"""One Parquet file while it is written: hashed on the way, durable when finished, never overwriting."""

from __future__ import annotations

import base64
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from casparian_flow.sinks.encoding import COMPRESSION, Encoding
from casparian_flow.sinks.hashed_file import HashedFile

_ARROW_SCHEMA = b"ARROW:schema"
"""Where Arrow readers look for what Parquet cannot say, such as durations; others pass over it."""


class ParquetPart:
    """A new file. Columns that arrive as dictionaries are declared by their values' type, as any reader expects."""

    def __init__(self, path: Path, schema: pa.Schema, encoding: Encoding) -> None:
        self._file = HashedFile(path)
        self._rows = 0
        try:
            self._writer = self._open_writer(schema, encoding)
        except BaseException:
            self._file.close()
            path.unlink()
            raise

    def _open_writer(self, schema: pa.Schema, encoding: Encoding) -> pq.ParquetWriter:
        writer = pq.ParquetWriter(
            pa.PythonFile(self._file, mode="w"),
            schema.remove_metadata(),
            compression=COMPRESSION,
            use_dictionary=encoding.dictionary or False,
            column_encoding=encoding.columns or None,
            store_schema=False,
        )
        writer.add_key_value_metadata({_ARROW_SCHEMA: base64.b64encode(_plain(schema).serialize())})
        return writer

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.size

    def write(self, rows: pa.Table) -> None:
        """Add one row group."""
        self._writer.write_table(rows, row_group_size=max(1, rows.num_rows))
        self._rows += rows.num_rows

    def finish(self) -> tuple[int, int, str]:
        """Complete and flush the file: its bytes, rows and digest. Its name is durable once the folder is synced."""
        self._writer.close()
        return self._file.size, self._rows, self._file.finish()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._file.ignore_writes()
        self._writer.close()
        self._file.close()


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema(
        [field.with_type(field.type.value_type) if pt.is_dictionary(field.type) else field for field in schema]
    )
