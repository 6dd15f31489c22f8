"""How what `operations.file.versions` names is done."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import RowMapping

from casparian_flow.core.errors import CasparianError, NotFound, UsageError
from casparian_flow.core.hashing import PREFIX
from casparian_flow.core.lineage import JOB_ID, LINEAGE_COLUMNS
from casparian_flow.core.outputs import Role
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.doing.rehearsal.row_difference import compare_rows
from casparian_flow.operations.file.versions import (
    DiffVersions,
    LandedTable,
    ListVersions,
    TableDifference,
    VersionDifference,
    VersionEntry,
    VersionList,
)
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.views import history
from casparian_flow.store.views import versions as view

NO_COPIES = "Casparian keeps no copies of evidence: only the current bytes of a file can be shown"


def versions(reading: Reading, request: ListVersions) -> VersionList:
    """Every version of one file; raises NotFound."""
    row = one_file(reading.connection, reading.cwd, request.file)
    found = [view.by_id(reading.connection, each["id"]) for each in history.versions_of(reading.connection, row["id"])]
    return VersionList(
        file=f"{row['source']}/{row['path']}",
        versions=[_entry(reading, each) for each in found if each is not None],
    )


def diff(reading: Reading, request: DiffVersions) -> VersionDifference:
    """What two versions differ in: size, time, content, and the rows that each brought, where they are still kept."""
    before, after = (_one(reading, named) for named in (request.before, request.after))
    has_same_bytes = before["source_hash"] == after["source_hash"]
    return VersionDifference(
        before=_entry(reading, before),
        after=_entry(reading, after),
        has_same_bytes=has_same_bytes,
        tables=[] if has_same_bytes else list(_differences(reading, before["source_hash"], after["source_hash"])),
        note="" if has_same_bytes else NO_COPIES,
    )


def _one(reading: Reading, named: str) -> RowMapping:
    connection = reading.connection
    if named.isascii() and named.isdigit() and len(named) < 19:
        if (row := view.by_id(connection, int(named))) is None:
            raise NotFound(f"there is no version {named}", fix="casparian files versions FILE")
        return row
    if named.startswith(PREFIX) and named.isascii():
        found = view.with_prefix(connection, named)
        if not found:
            raise NotFound(f"no version has a hash that begins with {named}", fix="casparian files versions FILE")
        if len({row["source_hash"] for row in found}) > 1:
            raise UsageError(f"several hashes begin with {named}", fix="give more digits")
        return found[-1]
    row = one_file(connection, reading.cwd, named)
    current = None if row["version_id"] is None else view.by_id(connection, row["version_id"])
    if current is None:
        raise NotFound(f"{named} was never read", fix="casparian scan")
    return current


def _entry(reading: Reading, row: RowMapping) -> VersionEntry:
    return VersionEntry(
        version=row["id"],
        path=f"{row['source']}/{row['path']}",
        source_hash=row["source_hash"],
        sha256=row["sha256"],
        size=row["size"],
        mtime=rfc3339(row["mtime_ns"]),
        content=row["content"],
        content_reason=row["content_reason"],
        detected=rfc3339(row["detected_at_ns"]),
        is_current=bool(row["is_current"]),
        tables=[
            LandedTable(
                table=each["table_name"],
                sink=each["sink_uri"],
                parser=each["parser"],
                job=str(each["job_id"]),
                contract=each["contract_version"],
                accepted=each["accepted"],
                quarantined=each["quarantined"],
                is_current=each["is_current"],
            )
            for each in view.landed(reading.connection, row["source_hash"])
        ],
    )


def _differences(reading: Reading, before: str, after: str) -> Iterator[TableDifference]:
    """Table by table, in each sink that both or one of them landed in."""
    sides = [
        {(row["table_name"], row["sink_uri"]): row for row in view.landed(reading.connection, source_hash)}
        for source_hash in (before, after)
    ]
    for place in dict.fromkeys([*sides[0], *sides[1]]):
        old, new = sides[0].get(place), sides[1].get(place)
        if old is None or new is None:
            yield _one_sided(place[0], old, new)
        else:
            yield _difference(old, new)


def _one_sided(table: str, old: RowMapping | None, new: RowMapping | None) -> TableDifference:
    return TableDifference(
        table=table,
        rows_before=None if old is None else old["accepted"],
        rows_after=None if new is None else new["accepted"],
        added=None if new is None else new["accepted"],
        removed=None if old is None else old["accepted"],
        columns_added=[],
        columns_removed=[],
        note="only the later version has rows in it" if old is None else "only the earlier version has rows in it",
    )


def _difference(old: RowMapping, new: RowMapping) -> TableDifference:
    added = removed = None
    columns_added: list[str] = []
    columns_removed: list[str] = []
    note = ""
    try:
        found = compare_rows(_rows_of(old), _rows_of(new))
        added, removed = found.added, found.removed
        columns_added, columns_removed = found.columns_added, found.columns_removed
    except CasparianError as exc:
        note = f"the rows cannot be read any more: {exc.message}"
    return TableDifference(
        table=old["table_name"],
        rows_before=old["accepted"],
        rows_after=new["accepted"],
        added=added,
        removed=removed,
        columns_added=columns_added,
        columns_removed=columns_removed,
        note=note,
    )


def _rows_of(landed: RowMapping) -> pa.RecordBatchReader:
    """The rows of one job as they were when they became visible, without what differs from job to job."""
    sink = open_sink(landed["sink_uri"])
    reader = sink.read(landed["table_name"], Role.ACCEPTED, as_of=landed["seq"])
    names = [name for name in reader.schema.names if name not in LINEAGE_COLUMNS]
    schema = pa.schema([reader.schema.field(name) for name in names])
    batches = (batch.filter(pc.equal(batch[JOB_ID], landed["job_id"])).select(names) for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, batches)
