"""Whether a job that is read again may take over rows of the job before it: what the control plane knows of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Modes
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.core.treatments import Treatment
from casparian_flow.core.types import parse_type
from casparian_flow.protocol.messages import Carries
from casparian_flow.publish.discover import SHIPPED_FOLDER
from casparian_flow.schema.compatibility import is_weaker
from casparian_flow.schema.lattice import holds
from casparian_flow.schema.masks import is_mask
from casparian_flow.sentinel.planning.registered import Registered
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import repairs as repair_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.views import older_reading as view

WORTH_BYTES = 1 << 20
"""A smaller file is read sooner than the rows that it has in tables are found."""
SPANS = "spans"
_OF_REJECTED_ROWS = frozenset({Axis.TYPE, Axis.NULLABILITY, Axis.RULE})
"""Axes on which only single rows differ; where values are set aside for it the worker sees them."""
_NUMBERS = frozenset({"int64", "decimal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Bytes that are to be read after the job `older` has read them, and with which options for which table."""

    older: int
    source_hash: str
    size: int
    config_hash: str
    base_table: str


def carries_of(
    connection: Connection,
    reading: Reading,
    parser: Registered,
    routes: Routes,
    contracts: Mapping[str, Contract],
    modes: Modes,
) -> Carries | None:
    """What may be taken over of the older job; None if the file is to be read whole.

    Every accepted row of that job is the same row under what is in force now, and what is rejected, noted or set aside
    in the file is so in single records. A parser that is not ours may go by what it said of the whole file, so that
    none of that may be masked.
    """
    if parser.manifest.rereads != SPANS or reading.size < WORTH_BYTES:
        return None
    older = view.job_as_read(connection, reading.older)
    if older is None or older.receipt is None or older.started_at_ns is None:
        return None
    before = (older.source_hash, older.config_hash, older.base_table, older.artifact_hash, older.env_hash)
    asked = (reading.source_hash, reading.config_hash, reading.base_table)
    now = (*asked, parser.artifact.artifact_hash, parser.artifact.env_hash)
    receipt = msgspec.json.decode(older.receipt, type=Receipt)
    if before != now or not receipt.counts or any(note.axis not in _OF_REJECTED_ROWS for note in receipt.drift):
        return None
    if not _is_ours(parser) and any(is_mask(text) for each in receipt.verdicts for text in (each.name, each.value)):
        return None
    held = repair_store.held_then(connection, parser.artifact.name, reading.source_hash, older.started_at_ns)
    if repair_store.digest_of_repairs(held) != older.repairs:
        return None
    shown = view.current_rows(connection, reading.older)
    for count in receipt.counts:
        contract = contracts.get(count.table)
        if contract is None or count.modes not in ("", modes.with_overrides(contract.drift).digest):
            return None
        its = [row for row in shown if row.table_name == count.table]
        if {(row.accepted, row.quarantined) for row in its} != {(count.accepted, count.quarantined)}:
            return None
        if not _is_shown(its, routes, count.table) or not _keeps_rows(connection, its, contract):
            return None
    return Carries(
        job=reading.older,
        accepted={count.table: count.accepted for count in receipt.counts},
        quarantined={count.table: count.quarantined for count in receipt.counts},
        verdicts=list(receipt.verdicts),
    )


def _is_ours(parser: Registered) -> bool:
    """Whether it is one that we ship: these go by words alone that are never masked."""
    return Path(parser.artifact.path).is_relative_to(SHIPPED_FOLDER)


def _is_shown(its: Sequence[AnyRow], routes: Routes, table: str) -> bool:
    """Whether every place of a table has the rows of the older job, and gets others beside them."""
    targets = routes.targets_of(table)
    if any(target.mode is not SinkMode.APPEND for target in targets):
        return False
    return {target.uri for target in targets} <= {row.sink_uri for row in its}


def _keeps_rows(connection: Connection, its: Sequence[AnyRow], contract: Contract) -> bool:
    versions = {row.contract_version for row in its}
    older = [contract_store.of_version(connection, contract.table, version) for version in sorted(versions)]
    return all(each is not None and is_same_row(each, contract) for each in older)


def is_same_row(older: Contract, newer: Contract) -> bool:
    """Whether each row that fits a contract fits the other one, too, and is the same row; numbers may be wider."""
    if older.headerless or newer.headerless or (older.names, older.drift) != (newer.names, newer.drift):
        return False
    if any(rule.is_about_rows for rule in newer.rules):
        return False
    if not all(rule in older.rules or is_weaker(older, rule) for rule in newer.rules):
        return False
    return all(map(_is_same_value, older.columns, newer.columns))


def _is_same_value(older: ContractColumn, newer: ContractColumn) -> bool:
    def beside_type(column: ContractColumn) -> tuple[object, ...]:
        return column.format, column.aliases, column.sensitivity, column.treatment, column.treatment_argument

    if beside_type(older) != beside_type(newer) or (older.nullable and not newer.nullable):
        return False
    if older.type == newer.type:
        return True
    is_number = parse_type(newer.type).name in _NUMBERS
    return is_number and newer.treated is Treatment.KEEP and holds(newer.type, older.type)
