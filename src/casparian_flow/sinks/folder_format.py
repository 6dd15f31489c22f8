"""What a kind of data file must be able to do, so that a folder sink can keep tables in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow as pa


class Part(Protocol):
    """One data file while it is written."""

    @property
    def size(self) -> int:
        """Bytes written so far."""

    def write(self, rows: pa.Table) -> None:
        """Add rows."""

    def finish(self) -> tuple[int, int, str]:
        """Complete and flush the file: its bytes, rows and digest. Its name is durable once the folder is synced."""

    def abandon(self) -> None:
        """Let go of the file as it is."""


class DataFile(Protocol):
    """One data file while it is read."""

    schema: pa.Schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These columns, in bounded memory. Raises VerificationFailed, perhaps after some rows."""


class Format(Protocol):
    """One kind of data file. `suffix` ends its names; the numbers say when waiting rows are written, a part is full."""

    suffix: str
    is_parquet: bool
    rows_at_once: int
    bytes_at_once: int
    part_bytes: int
    how_to_read: str
    """For the README of a table's folder: what a stranger must know to read the files."""

    def create(self, path: Path, schema: pa.Schema, first: pa.Table) -> Part:
        """A new file for rows like `first`. Raises FileExistsError, and leaves nothing behind after any error."""

    def open(self, path: Path, digest: str) -> AbstractContextManager[DataFile]:
        """A file that was sealed with this digest. Raises VerificationFailed for what is missing or damaged."""
