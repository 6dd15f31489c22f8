"""Reading a table without the home: the visible rows of all its files, under one schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.errors import NotFound, UsageError, VerificationFailed
from casparian_flow.core.lineage import JOB_ID, LINEAGE_COLUMNS
from casparian_flow.sinks.folder_format import Format
from casparian_flow.sinks.intact import check_file
from casparian_flow.sinks.layout import TableFolder, version_of
from casparian_flow.sinks.log import AddedFile
from casparian_flow.sinks.state import TableState


def scan(
    folder: TableFolder,
    state: TableState,
    form: Format,
    columns: Sequence[str] | None = None,
    jobs: Collection[int] | None = None,
) -> pa.RecordBatchReader:
    """What `Sink.read` promises, for the table that lives in `folder`. Missing and cut files are noticed at once."""
    if not state.seq:
        raise NotFound(f"the table {folder.path.name} has no commit", where=str(folder.path))
    removed = state.snapshot(folder.path).removed_jobs
    files = [visible.file for visible in state.files.values()]
    telling = _one_per_version(files)
    asked = None if jobs is None else frozenset(jobs)
    if asked is not None:
        files = [visible.file for visible in state.files.values() if not asked.isdisjoint(visible.live)]
    for file in {file.name: file for file in (*telling, *files)}.values():
        check_file(folder, file)
    schema = joined_schema([_schema_of(folder, file, form) for file in telling])
    wanted = schema if columns is None else chosen(schema, columns, folder.path.name)
    counting = _Counting(pa.array(removed, pa.int64()), None if asked is None else pa.array(sorted(asked), pa.int64()))
    return pa.RecordBatchReader.from_batches(wanted, _batches(folder, files, counting, form, schema, wanted))


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


def _schema_of(folder: TableFolder, file: AddedFile, form: Format) -> pa.Schema:
    with form.open(folder.path / file.name, file.digest) as data:
        return data.schema


def _one_per_version(files: Sequence[AddedFile]) -> list[AddedFile]:
    """One file of each contract version, oldest version first: all files of a version have the same columns."""
    versions: dict[int, AddedFile] = {}
    for file in files:
        versions.setdefault(version_of(file.name), file)
    return [versions[version] for version in sorted(versions)]


@dataclass(frozen=True, slots=True)
class _Counting:
    """Which rows of the files count: those of no removed job, and if jobs were asked for, only theirs."""

    removed: pa.Array
    jobs: pa.Array | None

    @property
    def is_all(self) -> bool:
        """Whether every row does."""
        return self.jobs is None and not len(self.removed)

    def of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that count."""
        if len(self.removed):
            batch = batch.filter(pc.invert(pc.is_in(batch.column(JOB_ID), self.removed)))
        if self.jobs is not None:
            batch = batch.filter(pc.is_in(batch.column(JOB_ID), self.jobs))
        return batch


def _batches(
    folder: TableFolder,
    files: Sequence[AddedFile],
    counting: _Counting,
    form: Format,
    schema: pa.Schema,
    wanted: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    needed = {*wanted.names} if counting.is_all else {*wanted.names, JOB_ID}
    for file in files:
        path = folder.path / file.name
        with form.open(path, file.digest) as data:
            if unknown := set(data.schema.names) - set(schema.names):
                raise VerificationFailed(f"the file has an unexpected column {min(unknown)}", where=str(path))
            for batch in data.batches([name for name in data.schema.names if name in needed]):
                yield _conformed(counting.of(batch), wanted)


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        batch.column(field.name).cast(field.type) if field.name in batch.schema.names else _nulls(batch, field)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _nulls(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    return pa.nulls(batch.num_rows, field.type)
