"""Writes rows to the one file that a person asked for: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from casparian_flow.core.errors import CasparianError, ExportFailed, UsageError
from casparian_flow.operations.doing.writers.csv_file import write_csv
from casparian_flow.operations.doing.writers.jsonl_file import write_jsonl
from casparian_flow.operations.doing.writers.parquet_file import write_parquet
from casparian_flow.operations.query.file_format import STANDARD_OUTPUT, FileFormat

STREAMED = (FileFormat.CSV, FileFormat.JSONL)
"""What can go to standard output: text, written from its beginning to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFile:
    """Where rows go and how. `table` names the table inside a DuckDB file."""

    path: Path
    format: FileFormat
    table: str = "rows"
    is_csv_safe: bool = False
    may_replace: bool = False


def format_of(path: Path) -> FileFormat:
    """The format that a file's extension names; raises UsageError."""
    try:
        return FileFormat(path.suffix.removeprefix(".").lower())
    except ValueError as exc:
        known = " ".join(f".{each}" for each in FileFormat)
        raise UsageError(f"{path.name} names no format", why=f"known extensions: {known}") from exc


def write_file(target: RowFile, reader: pa.RecordBatchReader) -> int:
    """Write all rows; how many there were.

    The file appears under its name when it is complete. Raises UsageError if it exists, unless it may be replaced, or
    if its folder cannot be written to, and ExportFailed if the disk fails on the way.
    """
    counted = _Counted(reader)
    if not target.may_replace and os.path.lexists(target.path):
        raise UsageError(f"{target.path} exists already", fix="--overwrite")
    hidden = target.path.with_name(f".{target.path.name[:80]}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            if target.format is FileFormat.DUCKDB:
                from casparian_flow.operations.doing.writers.duckdb_file import write_duckdb  # noqa: PLC0415 - slow to import

                write_duckdb(hidden, counted.reader, target.table)
            else:
                with hidden.open("xb") as file:
                    _write(file, target, counted.reader)
                    file.flush()
                    os.fsync(file.fileno())
            _publish(hidden, target)
        except FileExistsError as exc:
            raise UsageError(f"{target.path} exists already", fix="--overwrite") from exc
        except OSError as exc:
            raise _trouble(target.path, exc) from exc
    finally:
        hidden.unlink(missing_ok=True)
        hidden.with_name(hidden.name + ".wal").unlink(missing_ok=True)
    return counted.rows


def write_stream(format_: FileFormat, reader: pa.RecordBatchReader, *, is_csv_safe: bool = False) -> int:
    """Write all rows to standard output; how many there were. Raises UsageError for a format that is no text."""
    if format_ not in STREAMED:
        raise UsageError(f"{format_} cannot go to standard output", fix="--format csv")
    counted = _Counted(reader)
    target = RowFile(path=Path(STANDARD_OUTPUT), format=format_, is_csv_safe=is_csv_safe)
    _write(sys.stdout.buffer, target, counted.reader)
    sys.stdout.buffer.flush()
    return counted.rows


def _write(file: BinaryIO, target: RowFile, reader: pa.RecordBatchReader) -> None:
    match target.format:
        case FileFormat.PARQUET:
            write_parquet(file, reader)
        case FileFormat.CSV:
            write_csv(file, reader, is_safe=target.is_csv_safe)
        case _:
            write_jsonl(file, reader)


def _publish(hidden: Path, target: RowFile) -> None:
    """Give the complete file its name; raises FileExistsError where another took it meanwhile."""
    if target.may_replace:
        hidden.replace(target.path)
        return
    try:
        os.link(hidden, target.path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(target.path):
            raise FileExistsError(target.path) from None
        hidden.replace(target.path)


def _trouble(path: Path, exc: OSError) -> CasparianError:
    why = exc.strerror or str(exc)
    if isinstance(exc, (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError)):
        return UsageError(f"{path} cannot be written", why=why, fix="choose a file in a folder that can be written to")
    return ExportFailed(f"{path} could not be written to its end", why=why, fix="make room, then repeat the command")


class _Counted:
    """A reader that counts what went through it."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self.rows = 0
        self.reader = pa.RecordBatchReader.from_batches(reader.schema, self._counted(reader))

    def _counted(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in reader:
            self.rows += batch.num_rows
            yield batch
