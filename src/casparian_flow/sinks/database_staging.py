"""Rows on their way into a database: Parquet files beside it, in the types that the database keeps."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import SealedOutput
from casparian_flow.sinks.database_types import IsNative, stored_type, to_stored
from casparian_flow.sinks.folder_staging import StagedFiles
from casparian_flow.sinks.layout import ROLE_FOLDERS

_COLUMN = b"casparian:column"
"""Field metadata: the column as the contract has it, since neither its name nor its type need be kept."""


class StagedRows:
    """One table of one attempt that nobody sees yet. `root` is the staging folder, gone when nothing is in it."""

    def __init__(self, inner: StagedFiles, root: Path, schema: pa.Schema, kept: pa.Schema, native: IsNative) -> None:
        self._inner = inner
        self._root = root
        self._schema = schema
        self._kept = kept
        self._is_native = native

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows, lineage columns included; every batch has the schema given to `stage`."""
        if not batch.schema.equals(self._schema):
            raise InvariantBroken(
                "a batch has another schema than was staged",
                why=f"{batch.schema.names} instead of {self._schema.names}",
            )
        columns = [to_stored(column, self._is_native) for column in batch.columns]
        self._inner.write(pa.RecordBatch.from_arrays(columns, schema=self._kept))

    def seal(self, row_digest: str, schema_hash: str) -> SealedOutput:
        """Flush everything to disk and tell what was written; no write may follow."""
        return self._inner.seal(row_digest, schema_hash)

    def discard(self) -> None:
        """Remove what was written; allowed at any time before promotion, and twice."""
        self._inner.discard()
        tidy(self._root)


def kept_schema(schema: pa.Schema, is_native: IsNative) -> pa.Schema:
    """The schema of staged files: columns by position, since names may differ by letter case alone."""
    return pa.schema(
        [
            pa.field(f"c{at}", _kept_type(field.type, is_native), field.nullable, {_COLUMN: _encoded(field)})
            for at, field in enumerate(schema)
        ]
    )


def contract_columns(kept: pa.Schema) -> list[pa.Field]:
    """The columns that a staged file's schema stands for, by name and type."""
    fields = []
    for field in kept:
        metadata = field.metadata or {}
        if _COLUMN not in metadata:
            raise InvariantBroken("a staged file does not say what its columns are")
        fields.append(column_of(metadata[_COLUMN]))
    return fields


def column_of(encoded: bytes) -> pa.Field:
    """The column that `encoded_column` wrote down."""
    return pa.ipc.read_schema(pa.py_buffer(encoded)).field(0)


def encoded_column(field: pa.Field) -> bytes:
    """A column as bytes: name, type, whether it may be null, and what else is known of it."""
    return bytes(pa.schema([field]).serialize().to_pybytes())


def tidy(root: Path) -> None:
    """Remove the staging folder if nothing is in it."""
    for place in [*(root / name for name in ROLE_FOLDERS.values()), root]:
        with suppress(OSError):  # not empty, or gone already
            place.rmdir()


def _encoded(field: pa.Field) -> bytes:
    kind = field.type.value_type if pt.is_dictionary(field.type) else field.type
    return encoded_column(field.with_type(kind))


def _kept_type(kind: pa.DataType, is_native: IsNative) -> pa.DataType:
    stored = stored_type(kind, is_native)
    return pa.dictionary(kind.index_type, stored) if pt.is_dictionary(kind) else stored
