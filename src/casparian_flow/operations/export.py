"""Writes rows to one file that a person asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from casparian_flow.core.errors import UsageError
from casparian_flow.schema.rendering import as_text

FORMATS = (".parquet", ".csv", ".jsonl")


def write_batches(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write the batches to a file whose extension names the format; how many rows there were.

    Raises UsageError if the file exists or the extension is none of .parquet, .csv and .jsonl. A file that could not
    be finished is removed.
    """
    if path.suffix not in FORMATS:
        raise UsageError(f"{path.name} names no format", why=f"known extensions: {' '.join(FORMATS)}")
    try:
        file = path.open("xb")
    except FileExistsError as exc:
        raise UsageError(f"{path} exists already", fix="choose another name") from exc
    except OSError as exc:
        raise UsageError(f"{path} cannot be written", why=exc.strerror or str(exc)) from exc
    try:
        with file:
            return _WRITERS[path.suffix](file, batches)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_parquet(file: object, batches: Iterable[pa.RecordBatch]) -> int:
    rows, writer = 0, None
    for batch in batches:
        writer = writer or pq.ParquetWriter(file, batch.schema)
        writer.write_batch(batch)
        rows += batch.num_rows
    if writer is not None:
        writer.close()
    return rows


def _write_csv(file: object, batches: Iterable[pa.RecordBatch]) -> int:
    rows, writer = 0, None
    for batch in batches:
        texts = pa.RecordBatch.from_arrays([_as_csv_text(column) for column in batch.columns], names=batch.schema.names)
        writer = writer or pa_csv.CSVWriter(file, texts.schema)
        writer.write_batch(texts)
        rows += batch.num_rows
    if writer is not None:
        writer.close()
    return rows


def _write_jsonl(file: object, batches: Iterable[pa.RecordBatch]) -> int:
    encode = msgspec.json.Encoder(enc_hook=str).encode
    rows = 0
    for batch in batches:
        for row in batch.to_pylist():
            file.write(encode(row) + b"\n")  # type: ignore[attr-defined]
        rows += batch.num_rows
    return rows


def _as_csv_text(column: pa.Array) -> pa.Array:
    if pa.types.is_binary(column.type):
        texts = [None if value is None else value.decode("utf-8", "backslashreplace") for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    return as_text(column)


_WRITERS = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl}
