"""Reading a table without the home: the visible rows of all its files, under one schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from casparian_flow.core.errors import NotFound, UsageError, VerificationFailed
from casparian_flow.core.lineage import JOB_ID, LINEAGE_COLUMNS
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Snapshot
from casparian_flow.sinks.layout import table_folder
from casparian_flow.sinks.resolve import resolve

BATCH_ROWS = 65_536


def scan(root: Path, table: str, role: Role = Role.ACCEPTED, as_of: int | None = None) -> pa.RecordBatchReader:
    """The rows of a table now, or after its log entry `as_of`, in log order, one batch at a time.

    `root` is the sink's folder. Columns of all contract versions are joined by name, the newest version's first and
    lineage last; where types differ the wider one is taken, and text where none is wider. Raises NotFound for a table
    without a commit, VerificationFailed if a file of the log is missing or damaged.
    """
    snapshot = resolve(table_folder(root, role, table), role, as_of)
    if not snapshot.seq:
        raise NotFound(f"the table {table} has no commit", where=str(root))
    schema = joined_schema([_schema_of(path) for path in _one_per_version(snapshot.files)])
    return pa.RecordBatchReader.from_batches(schema, _batches(snapshot, schema))


def joined_schema(schemas: list[pa.Schema]) -> pa.Schema:
    """One schema for rows of all these, later ones leading: a union by name, lineage columns last."""
    fields: dict[str, pa.Field] = {}
    for schema in reversed(schemas):
        for field in schema:
            known = fields.get(field.name)
            fields[field.name] = field if known is None else _wider(known, field)
    missing = {name for name in fields for schema in schemas if name not in schema.names}
    ordered = [name for name in fields if name not in LINEAGE_COLUMNS]
    ordered += [name for name in LINEAGE_COLUMNS if name in fields]
    return pa.schema([fields[name].with_nullable(fields[name].nullable or name in missing) for name in ordered])


def _wider(one: pa.Field, other: pa.Field) -> pa.Field:
    nullable = one.nullable or other.nullable
    if one.type == other.type:
        return one.with_nullable(nullable)
    try:
        kind = pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        kind = pa.string()
    if pt.is_floating(kind) and (pt.is_integer(one.type) or pt.is_integer(other.type)):
        kind = pa.string()  # as a float a large whole number would lose digits
    if pt.is_string(kind) and (pt.is_nested(one.type) or pt.is_nested(other.type)):
        raise UsageError(
            f"the column {one.name} is {one.type} in one contract version and {other.type} in another",
            fix="read one version's folder, or an earlier state with as_of",
        )
    return pa.field(one.name, kind, nullable)


def _one_per_version(files: Sequence[str]) -> list[str]:
    """One file of each contract version, oldest version first: all files of a version have the same columns."""
    versions: dict[int, str] = {}
    for path in files:
        versions.setdefault(int(Path(path).parent.name[1:]), path)
    return [versions[version] for version in sorted(versions)]


def _batches(snapshot: Snapshot, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    removed = pa.array(snapshot.removed_jobs, pa.int64())
    for path in snapshot.files:
        with _opened(path) as file:
            if unknown := set(file.schema_arrow.names) - set(schema.names):
                raise VerificationFailed(f"the file has an unexpected column {min(unknown)}", where=path)
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                kept = batch.filter(pc.invert(pc.is_in(batch.column(JOB_ID), removed))) if len(removed) else batch
                yield _conformed(kept, schema)


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        batch.column(field.name).cast(field.type) if field.name in batch.schema.names else _nulls(batch, field)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _nulls(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    return pa.nulls(batch.num_rows, field.type)


def _schema_of(path: str) -> pa.Schema:
    with _opened(path) as file:
        return file.schema_arrow


def _opened(path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as exc:
        raise VerificationFailed("a file that a commit names is missing", where=path) from exc
    except (pa.ArrowInvalid, OSError) as exc:
        raise VerificationFailed("a data file cannot be read", where=path, why=str(exc)) from exc
