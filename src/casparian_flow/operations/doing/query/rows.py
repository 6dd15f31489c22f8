"""How what `operations.query.rows` names is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import RowMapping

from casparian_flow.core.lineage import JOB_ID, LINEAGE_COLUMNS, SOURCE_HASH, SOURCE_ROW, row_address
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Reading
from casparian_flow.operations.query.rows import FoundRow, RowFault
from casparian_flow.sentinel.console.rejects_in_force import RejectsInForce
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.views import materializations as view

MOST_RAW = 2000
"""Bytes of a record that are shown."""


def find_rows(reading: Reading, source_hash: str, record: int) -> list[FoundRow]:
    """The current rows of record number `record` of these bytes."""
    return [
        found
        for row in view.current_of_hash(reading.connection, source_hash)
        for role in Role
        for found in rows_of(row, role, record, shown=RejectsInForce(reading.connection, row["table_name"]).batch)
    ]


def rows_of(
    materialization: RowMapping,
    role: Role,
    record: int,
    as_of: int | None = None,
    *,
    shown: Callable[[pa.RecordBatch], pa.RecordBatch],
) -> list[FoundRow]:
    """The rows that one record became in one table in one role, now or after the log entry `as_of`.

    Rejected ones as `shown` gives them.
    """
    count = materialization["accepted"] if role is Role.ACCEPTED else materialization["quarantined"]
    if not count:
        return []
    found: list[FoundRow] = []
    for batch in open_sink(materialization["sink_uri"]).read(materialization["table_name"], role, as_of):
        is_it = pc.and_(pc.equal(batch[JOB_ID], materialization["job_id"]), pc.equal(batch[SOURCE_ROW], record))
        its = batch.filter(is_it)
        its = shown(its) if role is Role.QUARANTINE else its
        found += [_found(each, materialization, role) for each in its.to_pylist()]
    return found


def _found(values: dict[str, Any], materialization: RowMapping, role: Role) -> FoundRow:
    if role is Role.QUARANTINE:
        return _rejected(values, materialization)
    return FoundRow(
        row=row_address(values[SOURCE_HASH], values[SOURCE_ROW]),
        table=materialization["table_name"],
        role=role,
        job=str(values[JOB_ID]),
        contract=materialization["contract_version"],
        sink=materialization["sink_uri"],
        start=None,
        end=None,
        locator=None,
        message=None,
        faults=[],
        raw=None,
        values={name: _text(value) for name, value in values.items() if name not in LINEAGE_COLUMNS},
    )


def _rejected(values: dict[str, Any], materialization: RowMapping) -> FoundRow:
    return FoundRow(
        row=row_address(values[SOURCE_HASH], values[SOURCE_ROW]),
        table=materialization["table_name"],
        role=Role.QUARANTINE,
        job=str(values[JOB_ID]),
        contract=materialization["contract_version"],
        sink=materialization["sink_uri"],
        start=values["start"],
        end=values["end"],
        locator=values["locator"],
        message=values["message"],
        faults=[RowFault(**fault) for fault in values["errors"] or ()] or [_fault_of_record(values)],
        raw=_text((values["raw"] or b"")[:MOST_RAW]) or None,
        values={name: _text(value) for name, value in msgspec.json.decode(values["values"] or "{}").items()},
    )


def _fault_of_record(values: dict[str, Any]) -> RowFault:
    """What a parser said about a record as a whole."""
    return RowFault(code=values["code"], column=values["column"], expected=None, observed=None)


def _text(value: Any) -> str | None:
    """A value as a person reads it: bytes as the text they are, lists and structs as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (bool, list, dict)):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)
