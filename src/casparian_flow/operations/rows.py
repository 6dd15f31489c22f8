"""Finds the rows that one record of a file became, in every table and in quarantine."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow.compute as pc
from sqlalchemy import RowMapping

from casparian_flow.core.lineage import JOB_ID, LINEAGE_COLUMNS, SOURCE_HASH, SOURCE_ROW, row_address
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Reply
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.views import materializations as view

MOST_RAW = 2000
"""Bytes of a record that are shown."""


class RowFault(Reply, frozen=True, kw_only=True):
    """One thing that did not fit: the code, where it is known the column, and what was there instead of what."""

    code: str
    column: str | None
    expected: str | None
    observed: str | None


class FoundRow(Reply, frozen=True, kw_only=True):
    """One row under its address. `values` are its columns as text.

    What was wrong with a rejected row say `message` and `faults`, one for each column that did not fit; `start` and
    `end` are the bytes of the record in its file where they are known, `locator` names it where they mean nothing, and
    `raw` is what stood there, cut, if it could not be taken apart.
    """

    row: str
    table: str
    role: str
    job: str
    contract: int
    sink: str
    start: int | None
    end: int | None
    locator: str | None
    message: str | None
    faults: list[RowFault]
    raw: str | None
    values: dict[str, str | None]


def find_rows(reading: Reading, source_hash: str, record: int) -> list[FoundRow]:
    """The current rows of record number `record` of these bytes."""
    return [
        found
        for row in view.current_of_hash(reading.connection, source_hash)
        for role in Role
        for found in rows_of(row, role, record)
    ]


def rows_of(materialization: RowMapping, role: Role, record: int, as_of: int | None = None) -> list[FoundRow]:
    """The rows that one record became in one table in one role, now or after the log entry `as_of`."""
    count = materialization["accepted"] if role is Role.ACCEPTED else materialization["quarantined"]
    if not count:
        return []
    found: list[FoundRow] = []
    for batch in open_sink(materialization["sink_uri"]).read(materialization["table_name"], role, as_of):
        is_it = pc.and_(pc.equal(batch[JOB_ID], materialization["job_id"]), pc.equal(batch[SOURCE_ROW], record))
        found += [_found(each, materialization, role) for each in batch.filter(is_it).to_pylist()]
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
