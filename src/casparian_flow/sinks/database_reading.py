"""Rows of a table out of a database, in the types of their contract."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.errors import NotFound, VerificationFailed
from casparian_flow.core.lineage import JOB_ID
from casparian_flow.sinks.database_columns import StoredColumn, homes_of, rows_table, schema_of
from casparian_flow.sinks.database_engine import Connection, Engine, quoted
from casparian_flow.sinks.database_records import Moment, Records
from casparian_flow.sinks.database_types import from_stored, stored_type
from casparian_flow.sinks.read import chosen

_IN_MEMORY = 32 << 20
"""Larger answers wait in a temporary file, so that nobody's pace keeps the database from being written."""


def read_rows(
    connection: Connection,
    engine: Engine,
    moment: Moment,
    columns: Sequence[str] | None,
    path: str,
    jobs: Collection[int] | None = None,
) -> pa.RecordBatchReader:
    """What `Sink.read` promises. All rows have left the database when this returns."""
    if not moment.seq:
        raise NotFound(f"the table {moment.table} has no commit", where=path)
    records = Records(connection)
    known = records.columns(moment.table, moment.role)
    versions = records.versions(moment)
    visible = [column for column in known if column.version in versions] or known
    schema = schema_of(visible)
    wanted = schema if columns is None else chosen(schema, columns, moment.table)
    homes = [homes_of(visible, field.name) for field in wanted]
    asked = moment if jobs is None else replace(moment, jobs=frozenset(jobs))
    return _put_by(wanted, _rows(connection, engine, asked, wanted, homes, path) if known else ())


def _rows(
    connection: Connection,
    engine: Engine,
    moment: Moment,
    wanted: pa.Schema,
    homes: Sequence[Sequence[StoredColumn]],
    path: str,
) -> Iterator[pa.RecordBatch]:
    flat = [column for each in homes for column in each]
    names = ", ".join(f"r.{quoted(column.physical)}" for column in flat) or "1"
    rows = f"SELECT {names} FROM {quoted(rows_table(moment.table, moment.role))} AS r"
    if Records(connection).is_in_order(moment):
        chosen_rows = f"WHERE r.{quoted(JOB_ID)} IN (SELECT job_id FROM ({moment.current}) AS c) ORDER BY"
    else:
        chosen_rows = f"JOIN ({moment.current}) AS c ON c.job_id = r.{quoted(JOB_ID)} ORDER BY c.seq, c.ordinal,"
    query = f"{rows} {chosen_rows} r.{engine.row_number}"
    kept = pa.schema(
        [pa.field(f"c{at}", stored_type(column.field.type, engine.is_native)) for at, column in enumerate(flat)]
    )
    for batch in connection.stream(query, moment.values, kept):
        columns = iter(batch.columns)
        try:
            joined = [
                _joined([(home, next(columns)) for home in each], field)
                for field, each in zip(wanted, homes, strict=True)
            ]
        except (pa.ArrowInvalid, ValueError) as exc:
            raise VerificationFailed(
                f"rows of {moment.table} were changed by somebody else", where=path, why=str(exc)
            ) from exc
        yield pa.RecordBatch.from_arrays(joined, schema=wanted)


def _joined(parts: Sequence[tuple[StoredColumn, pa.Array]], field: pa.Field) -> pa.Array:
    """One column from the places where its values are kept: at most one of them holds a row's value."""
    arrays = [from_stored(array, home.field.type).cast(field.type) for home, array in parts]
    return arrays[0] if len(arrays) == 1 else pc.coalesce(*arrays)


def _put_by(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader:
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 closed by who reads it
    with pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    file.seek(0)
    return pa.RecordBatchReader.from_batches(schema, _replayed(file))


def _replayed(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    with file, pa.ipc.open_stream(file) as reader:
        yield from reader
