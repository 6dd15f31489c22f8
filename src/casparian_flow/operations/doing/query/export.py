"""How what `operations.query.export` names is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.lineage import RESCUED
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.output.placement import sink_of
from casparian_flow.operations.doing.query.moments import entries_at
from casparian_flow.operations.doing.query.row_files import RowFile, write_file, write_stream
from casparian_flow.operations.query.export import ExportedTable, ExportTable
from casparian_flow.operations.query.file_format import STANDARD_OUTPUT, FileFormat
from casparian_flow.schema.rejections import REJECTION_SCHEMA
from casparian_flow.schema.treat import accepted_schema
from casparian_flow.sentinel.console.rejects_in_force import RejectsInForce
from casparian_flow.sentinel.history.erased import refuse_erased
from casparian_flow.sinks.lineage import LINEAGE_FIELDS
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import contracts as contract_store


def export(reading: Reading, request: ExportTable) -> ExportedTable:
    """Write the table's rows with their lineage, a batch at a time; nothing is left of a file that fails."""
    sink = sink_of(reading.connection, reading.home, reading.cwd, request.table, request.sink)
    role = Role.QUARANTINE if request.quarantine else Role.ACCEPTED
    as_of = None
    if request.as_of is not None:
        as_of = entries_at(reading.connection, request.as_of, reading.now_ns).get((sink, request.table, role))
        if as_of is None:
            raise NotFound(
                f"{request.table} had no {role} rows yet at {request.as_of}",
                fix=f"casparian output history {request.table}",
            )
        refuse_erased(reading.connection, sink, request.table, role, as_of)
    path, format_ = _target(reading.cwd, request)
    if request.csv_safe and format_ is not FileFormat.CSV:
        raise UsageError("--csv-safe is about CSV", fix="--format csv")
    found = open_sink(sink).read(request.table, role, as_of)
    if not found.schema.names:  # every row was taken out, and no file is left to say what the columns were
        found = _no_rows(reading, request.table, role)
    if request.quarantine:
        found = RejectsInForce(reading.connection, request.table).shown(found)
    rows, redacted = _redacted(found, request.redact)
    if path is None:
        count = write_stream(format_, rows, is_csv_safe=request.csv_safe)
    else:
        name = f"quarantine_{request.table}" if request.quarantine else request.table
        target = RowFile(
            path=path, format=format_, table=name, is_csv_safe=request.csv_safe, may_replace=request.overwrite
        )
        count = write_file(target, rows)
    return ExportedTable(
        table=request.table,
        sink=sink,
        path=None if path is None else str(path),
        format=format_,
        rows=count,
        redacted=redacted,
    )


def _target(cwd: Path, request: ExportTable) -> tuple[Path | None, FileFormat]:
    """The file, None for standard output, and its format."""
    if request.to == STANDARD_OUTPUT:
        return None, request.format or FileFormat.CSV
    path = cwd / (request.to or "")
    named = next((each for each in FileFormat if path.suffix == f".{each}"), None)
    format_ = request.format or named or FileFormat.PARQUET
    if path.is_dir():
        path /= f"{'quarantine_' if request.quarantine else ''}{request.table}.{format_}"
    elif named is not None and named is not format_:
        raise UsageError(
            f"{path.name} does not name a {format_} file", fix=f"--to {path.with_suffix(f'.{format_}').name}"
        )
    return path, format_


def _no_rows(reading: Reading, table: str, role: Role) -> pa.RecordBatchReader:
    contract = contract_store.in_force(reading.connection).get(table)
    schema = accepted_schema(contract) if contract and role is Role.ACCEPTED else REJECTION_SCHEMA
    return pa.schema([*schema, *LINEAGE_FIELDS]).empty_table().to_reader()


def _redacted(reader: pa.RecordBatchReader, columns: Sequence[str]) -> tuple[pa.RecordBatchReader, list[str]]:
    """The rows without the values of these columns, and which those are; raises UsageError for an unknown one.

    Rescued values may be those of a redacted column, so they go too.
    """
    if unknown := [name for name in columns if name not in reader.schema.names]:
        raise UsageError(
            f"there is no column {unknown[0]!r} to redact", why=f"there are {', '.join(reader.schema.names)}"
        )
    hidden = {*columns, *((RESCUED,) if columns and RESCUED in reader.schema.names else ())}
    if not hidden:
        return reader, []
    schema = pa.schema([field.with_nullable(field.nullable or field.name in hidden) for field in reader.schema])

    def without() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            columns = [
                pa.nulls(batch.num_rows, field.type) if field.name in hidden else batch.column(at)
                for at, field in enumerate(schema)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, without()), [name for name in schema.names if name in hidden]
