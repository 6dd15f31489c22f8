"""Parquet as the format of a folder's data files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.sinks.encoding import choose_encoding
from casparian_flow.sinks.parquet_part import ParquetPart

BATCH_ROWS = 65_536


class ParquetFormat:
    """Files that carry their own schema and that everybody can open."""

    suffix = ".parquet"
    is_parquet = True
    rows_at_once = 131_072
    bytes_at_once = 64 << 20
    part_bytes = 512 << 20
    how_to_read = "The files are Parquet: DuckDB, pandas, polars and Spark open them as they are."

    def create(self, path: Path, schema: pa.Schema, first: pa.Table) -> ParquetPart:
        """A new file, encoded as suits its first rows."""
        return ParquetPart(path, schema, choose_encoding(first))

    @contextmanager
    def open(self, path: Path, digest: str) -> Iterator[ParquetData]:
        """A file whose own structure, not the digest, tells whether it is whole."""
        with _translated(path):
            file = pq.ParquetFile(path)
        with file:
            yield ParquetData(path, file)


class ParquetData:
    """One Parquet file while it is read."""

    def __init__(self, path: Path, file: pq.ParquetFile) -> None:
        self.schema: pa.Schema = file.schema_arrow
        self._path = path
        self._file = file

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These columns, some rows at a time."""
        with _translated(self._path):
            yield from self._file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns))


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise VerificationFailed("a file that a commit names is missing", where=str(path)) from exc
    except (pa.ArrowInvalid, OSError) as exc:
        raise VerificationFailed("a data file cannot be read", where=str(path), why=str(exc)) from exc
