"""How what `operations.quarantine_rows` names is done."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.lineage import JOB_ID, row_address
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.quarantine import list_
from casparian_flow.operations.doing.row_files import RowFile, format_of, write_file
from casparian_flow.operations.quarantine import GroupEntry, ListGroups
from casparian_flow.operations.quarantine_rows import Exported, ExportGroup, GroupDetail, RejectedRow, ShowGroup
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.views import history
from casparian_flow.store.views import quarantine as view


def show(reading: Reading, request: ShowGroup) -> GroupDetail:
    """A group and its first rows; raises NotFound."""
    group = _find(reading, request.group)
    path_of = cache(partial(history.path_of_version, reading.connection))
    rows: list[RejectedRow] = []
    for batch in _rows(reading, group):
        for row in batch.slice(0, request.rows - len(rows)).to_pylist():
            rows.append(_shown(row, path_of))
        if len(rows) >= request.rows:
            break
    return GroupDetail(group=group, rows=rows)


def export(reading: Reading, request: ExportGroup) -> Exported:
    """Write every row of a group to a new file: Parquet, CSV, JSON Lines or DuckDB, by its extension."""
    group = _find(reading, request.group)
    path = reading.cwd / request.to
    target = RowFile(path=path, format=format_of(path), table=f"quarantine_{group.table}")
    written = write_file(target, _rows(reading, group))
    return Exported(path=str(path), rows=written)


def _find(reading: Reading, named: str) -> GroupEntry:
    groups = list_(reading, ListGroups()).groups
    found = [group for group in groups if group.group.startswith(named)] if named else []
    if not found:
        raise NotFound(f"there is no quarantine group {named!r}", fix="casparian quarantine list")
    if len(found) > 1:
        raise UsageError(f"{named!r} names {len(found)} groups", why=", ".join(group.group for group in found[:5]))
    return found[0]


def _rows(reading: Reading, group: GroupEntry) -> pa.RecordBatchReader:
    """The group's current rows, batch by batch; those of a job from one of its sinks."""
    readers = [
        (open_sink(uri).read(group.table, Role.QUARANTINE), pa.array(jobs, pa.int64()))
        for uri, jobs in view.jobs_by_sink(reading.connection, group.table).items()
    ]
    batches = (kept for reader, jobs in readers for batch in reader if (kept := _of_group(batch, group, jobs)).num_rows)
    return pa.RecordBatchReader.from_batches(readers[0][0].schema, batches)


def _of_group(batch: pa.RecordBatch, group: GroupEntry, jobs: pa.Array) -> pa.RecordBatch:
    of_group = pc.and_(pc.equal(batch["code"], group.code), pc.equal(batch["shape"], group.shape))
    same_column = pc.equal(pc.fill_null(batch["column"], ""), group.column)
    return batch.filter(pc.and_(pc.is_in(batch[JOB_ID], jobs), pc.and_(of_group, same_column)))


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
        errors=[_reason(error, row["message"]) for error in row["errors"] or ()],
        values=row["values"],
        raw=None if raw is None else raw.decode("utf-8", "backslashreplace"),
        job=str(row["_cf_job_id"]),
    )


def _reason(error: dict[str, Any], message: str) -> str:
    """One reason in words. A record that could not be read has no column: what is wrong with it says its message."""
    if error["expected"] is None:
        return f"{error['code']}: {message}"
    column = f" {error['column']}" if error["column"] else ""
    return f"{error['code']}{column} expected {error['expected']}, found {error['observed']!r}"
