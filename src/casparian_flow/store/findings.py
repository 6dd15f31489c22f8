"""What is known of a job besides its rows: groups of rejected ones, what its parser detected, what had drifted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert

from casparian_flow.core.quarantine import EntryState, group_reference
from casparian_flow.core.receipts import Receipt
from casparian_flow.store import causes
from casparian_flow.store.prepared import Prepared
from casparian_flow.store.tables import drift, quarantine, verdicts


def _addition(table: Table, *unset: str) -> Prepared:
    return Prepared(
        insert(table).values({each.name: bindparam(each.name) for each in table.c if each.name not in unset})
    )


ADD_GROUP = _addition(quarantine, "id", "closed_by_job", "closed_at_ns", "purged_by")
ADD_VERDICT = _addition(verdicts)
ADD_DRIFT = _addition(drift)


def add_findings(connection: Connection, receipts: Mapping[int, tuple[str, Receipt]], now_ns: int) -> None:
    """Keep what the receipts of jobs say, each with the name of the parser that ran; none of them was kept before."""
    for parser in sorted({parser for parser, _ in receipts.values()}):
        its = {job: receipt for job, (name, receipt) in receipts.items() if name == parser}
        groups = [row for job, receipt in its.items() for row in _groups(job, parser, receipt)]
        ADD_GROUP.run_all(connection, groups)
        causes.touch(connection, [row | {"parser_name": parser, "changed_at_ns": now_ns} for row in groups])
    ADD_VERDICT.run_all(connection, [row for job, (_, receipt) in receipts.items() for row in _verdicts(job, receipt)])
    ADD_DRIFT.run_all(connection, [row for job, (_, receipt) in receipts.items() for row in _drift(job, receipt)])


def _groups(job: int, parser: str, receipt: Receipt) -> Iterator[dict[str, Any]]:
    for group in receipt.groups:
        yield {
            "job_id": job,
            "reference": group_reference(parser, group.table, group.code, group.column, group.shape),
            "table_name": group.table,
            "code": group.code,
            "column_name": group.column,
            "shape": group.shape,
            "rows": group.rows,
            "bytes": group.bytes,
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
            "samples": json.dumps(note.samples, ensure_ascii=False),
        }
