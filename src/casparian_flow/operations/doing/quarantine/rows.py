"""How what `operations.quarantine.rows` names is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.lineage import JOB_ID, row_address
from casparian_flow.core.outputs import Role
from casparian_flow.core.quarantine import group_reference
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.quarantine.causes import find_group
from casparian_flow.operations.doing.query.row_files import RowFile, format_of, write_file
from casparian_flow.operations.quarantine.causes import GroupEntry
from casparian_flow.operations.quarantine.rows import Exported, ExportGroup, GroupDetail, RejectedRow, ShowGroup
from casparian_flow.sentinel.console.rejects_in_force import RejectsInForce
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import causes as cause_store
from casparian_flow.store.views import history
from casparian_flow.store.views import quarantine as view

QUOTING = ("errors", "values", "raw")
"""Columns of rejected rows that repeat what stood in the file."""


def show(reading: Reading, request: ShowGroup) -> GroupDetail:
    """A group and its first rows; raises NotFound."""
    group = find_group(reading.connection, request.group, reading.now_ns)
    path_of = cache(partial(history.path_of_version, reading.connection))
    rows: list[RejectedRow] = []
    for batch in rows_of_group(reading, group):
        for row in batch.slice(0, request.rows - len(rows)).to_pylist():
            rows.append(_shown(row, path_of))
        if len(rows) >= request.rows:
            break
    return GroupDetail(group=group, rows=rows)


def export(reading: Reading, request: ExportGroup) -> Exported:
    """Write every row of a group to a new file: Parquet, CSV, JSON Lines or DuckDB, by its extension."""
    group = find_group(reading.connection, request.group, reading.now_ns)
    path = reading.cwd / request.to
    target = RowFile(path=path, format=format_of(path), table=f"quarantine_{group.table}")
    written = write_file(target, rows_of_group(reading, group))
    return Exported(path=str(path), rows=written)


def rows_of_group(reading: Reading, group: GroupEntry) -> pa.RecordBatchReader:
    """The group's current rows, batch by batch; those of a job from one of its sinks.

    Of a group that was closed after they were written they say what the home says of it, and where they stand. In those
    of another one what was closed since is masked.
    """
    places = view.jobs_by_sink(reading.connection, group.table, group.group)
    parsers = cause_store.parsers_of(reading.connection, {job for jobs in places.values() for job in jobs})
    is_closed = all(_name(parser, group, group.shape) != group.group for parser in set(parsers.values()))
    readers = [open_sink(uri).read(group.table, Role.QUARANTINE, jobs=jobs) for uri, jobs in places.items()]
    find = partial(_of_closed, parsers=parsers) if is_closed else _of_group
    batches = (kept for reader in readers for batch in reader if (kept := find(batch, group)).num_rows)
    found = pa.RecordBatchReader.from_batches(readers[0].schema, batches)
    return found if is_closed else RejectsInForce(reading.connection, group.table).shown(found)


def _of_group(batch: pa.RecordBatch, group: GroupEntry) -> pa.RecordBatch:
    return batch.filter(pc.and_(_of_kind(batch, group), pc.equal(batch["shape"], group.shape)))


def _of_closed(batch: pa.RecordBatch, group: GroupEntry, parsers: Mapping[int, str]) -> pa.RecordBatch:
    """The rows by the name of their cause, which stays what it was, with nothing in them that was closed."""
    batch = batch.filter(_of_kind(batch, group))
    shapes = pc.unique(batch["shape"])
    same = pa.array(np.zeros(batch.num_rows, bool))
    for parser in set(parsers.values()):
        its = pa.array([job for job, name in parsers.items() if name == parser], pa.int64())
        named = [shape for shape in shapes.to_pylist() if _name(parser, group, shape) == group.group]
        ours = pc.and_(pc.is_in(batch[JOB_ID], its), pc.is_in(batch["shape"], pa.array(named, pa.string())))
        same = pc.or_(same, ours)
    batch = batch.filter(same)
    for name, text in {"message": group.message, "shape": group.shape, **dict.fromkeys(QUOTING)}.items():
        at = batch.schema.get_field_index(name)
        field = batch.schema.field(at)
        batch = batch.set_column(at, field, pa.repeat(pa.scalar(text, field.type), batch.num_rows))
    return batch


def _of_kind(batch: pa.RecordBatch, group: GroupEntry) -> pa.Array:
    same_column = pc.equal(pc.fill_null(batch["column"], ""), group.column)
    return pc.and_(pc.equal(batch["code"], group.code), same_column)


def _name(parser: str, group: GroupEntry, shape: str) -> str:
    return group_reference(parser, group.table, group.code, group.column, shape)


def _shown(row: dict[str, Any], path_of: Callable[[int], str]) -> RejectedRow:
    raw = row["raw"]
    record = row["_cf_source_row"]
    return RejectedRow(
        row=None if record is None else row_address(row["_cf_source_hash"], record),
        path=path_of(row["_cf_file_version_id"]),
        source_row=record,
        start=row["start"],
        end=row["end"],
        locator=row["locator"],
        message=row["message"],
        errors=[reason_of(error, row["message"]) for error in row["errors"] or ()],
        values=row["values"],
        raw=None if raw is None else raw.decode("utf-8", "backslashreplace"),
        job=str(row["_cf_job_id"]),
    )


def reason_of(error: dict[str, Any], message: str) -> str:
    """One reason in words. A record that could not be read has no column: what is wrong with it says its message."""
    if error["expected"] is None:
        return f"{error['code']}: {message}"
    column = f" {error['column']}" if error["column"] else ""
    return f"{error['code']}{column} expected {error['expected']}, found {error['observed']!r}"
