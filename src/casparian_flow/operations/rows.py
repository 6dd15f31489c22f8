"""Finds the rows that one record of a file became, in every table and in quarantine."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow.compute as pc

from casparian_flow.core.lineage import LINEAGE_COLUMNS, SOURCE_HASH, SOURCE_ROW
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Reply
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.views import materializations as view


class FoundRow(Reply, frozen=True, kw_only=True):
    """One row. `values` are its columns as text; a rejected row's `message` says what was wrong with it."""

    table: str
    role: str
    job: str
    contract: int
    sink: str
    start: int | None
    end: int | None
    message: str | None
    values: dict[str, str | None]


def find_rows(reading: Reading, source_hash: str, record: int) -> list[FoundRow]:
    """The current rows of record number `record` of these bytes."""
    found = []
    for row in view.current_of_hash(reading.connection, source_hash):
        sink = open_sink(row["sink_uri"])
        for role, count in ((Role.ACCEPTED, row["accepted"]), (Role.QUARANTINE, row["quarantined"])):
            if not count:
                continue
            for batch in sink.read(row["table_name"], role):
                is_it = pc.and_(pc.equal(batch[SOURCE_HASH], source_hash), pc.equal(batch[SOURCE_ROW], record))
                found += [_found(each, row, role) for each in batch.filter(is_it).to_pylist()]
    return found


def _found(values: dict[str, Any], materialization: Any, role: Role) -> FoundRow:
    rejected = role is Role.QUARANTINE
    return FoundRow(
        table=materialization["table_name"],
        role=role,
        job=str(values["_cf_job_id"]),
        contract=materialization["contract_version"],
        sink=materialization["sink_uri"],
        start=values["start"] if rejected else None,
        end=values["end"] if rejected else None,
        message=values["message"] if rejected else None,
        values={name: _text(value) for name, value in values.items() if name not in LINEAGE_COLUMNS},
    )


def _text(value: Any) -> str | None:
    """A value as a person reads it: bytes as the text they are, lists and structs as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (bool, list, dict)):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)
