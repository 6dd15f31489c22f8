"""What is known of a job besides its rows: groups of rejected ones, what its parser detected, what had drifted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert

from casparian_flow.core.quarantine import EntryState
from casparian_flow.core.receipts import Receipt
from casparian_flow.store.prepared import Prepared
from casparian_flow.store.tables import drift, quarantine, verdicts


def _addition(table: Table) -> Prepared:
    return Prepared(insert(table).values({each.name: bindparam(each.name) for each in table.c if each.name != "id"}))


ADD_GROUP = _addition(quarantine)
ADD_VERDICT = _addition(verdicts)
ADD_DRIFT = _addition(drift)


def add_findings(connection: Connection, receipts: Mapping[int, Receipt]) -> None:
    """Keep what the receipts of jobs say; none of them was kept before."""
    ADD_GROUP.run_all(connection, [row for job, receipt in receipts.items() for row in _groups(job, receipt)])
    ADD_VERDICT.run_all(connection, [row for job, receipt in receipts.items() for row in _verdicts(job, receipt)])
    ADD_DRIFT.run_all(connection, [row for job, receipt in receipts.items() for row in _drift(job, receipt)])


def _groups(job: int, receipt: Receipt) -> Iterator[dict[str, Any]]:
    for group in receipt.groups:
        yield {
            "job_id": job,
            "table_name": group.table,
            "code": group.code,
            "column_name": group.column,
            "shape": group.shape,
            "rows": group.rows,
            "message": group.message,
            "sample": group.sample,
            "state": EntryState.OPEN,
            "is_current": True,
        }


def _verdicts(job: int, receipt: Receipt) -> Iterator[dict[str, Any]]:
    for at, note in enumerate(receipt.verdicts):
        yield {
            "job_id": job,
            "ordinal": at,
            "name": note.name,
            "value": note.value,
            "confidence": note.confidence,
            "runner_up": note.runner_up,
        }


def _drift(job: int, receipt: Receipt) -> Iterator[dict[str, Any]]:
    for at, note in enumerate(receipt.drift):
        yield {
            "job_id": job,
            "ordinal": at,
            "table_name": note.table,
            "axis": note.axis,
            "column_name": note.column,
            "detail": note.detail,
            "rows": note.rows,
        }
