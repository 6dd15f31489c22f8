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
from casparian_flow.sinks.layout import TableFolder
from casparian_flow.sinks.resolve import resolve

BATCH_ROWS = 65_536


def scan(
    folder: TableFolder, role: Role, as_of: int | None = None, columns: Sequence[str] | None = None
) -> pa.RecordBatchReader:
    """What `Sink.read` promises, for the table that lives in `folder`."""
    snapshot = resolve(folder, role, as_of)
    if not snapshot.seq:
        raise NotFound(f"the table {folder.path.name} has no commit", where=str(folder.path))
    schema = joined_schema([_schema_of(path) for path in _one_per_version(snapshot.files)])
    wanted = schema if columns is None else chosen(schema, columns, folder.path.name)
    return pa.RecordBatchReader.from_batches(wanted, _batches(snapshot, schema, wanted))


def chosen(schema: pa.Schema, columns: Sequence[str], table: str) -> pa.Schema:
    """The fields of these names, in their order; raises NotFound for one that is not there."""
    if unknown := [name for name in columns if name not in schema.names]:
        raise NotFound(f"the table {table} has no column {unknown[0]!r}", why=f"it has {', '.join(schema.names)}")
    return pa.schema([schema.field(name) for name in columns])


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


def _batches(snapshot: Snapshot, schema: pa.Schema, wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
    removed = pa.array(snapshot.removed_jobs, pa.int64())
    names = [*wanted.names, *([JOB_ID] if len(removed) else [])]
    for path in snapshot.files:
        with _opened(path) as file:
            if unknown := set(file.schema_arrow.names) - set(schema.names):
                raise VerificationFailed(f"the file has an unexpected column {min(unknown)}", where=path)
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
                kept = batch.filter(pc.invert(pc.is_in(batch.column(JOB_ID), removed))) if len(removed) else batch
                yield _conformed(kept, wanted)


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
