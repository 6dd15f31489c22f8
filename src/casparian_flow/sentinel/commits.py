"""Permit, then record: the two transactions between a sealed attempt and its visible rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, insert

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import InvariantBroken, OutputExists
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import PermittedEntry, SinkMode
from casparian_flow.core.quarantine import EntryState
from casparian_flow.core.receipts import Receipt
from casparian_flow.sentinel.entries import entries_for
from casparian_flow.sentinel.facts import Facts
from casparian_flow.sentinel.proofs import materializations_of
from casparian_flow.sentinel.receipts import check_receipt
from casparian_flow.sinks.log import EntryAction, JobRecord, parse_entry
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import drift, quarantine, verdicts


def check(connection: Connection, facts: Facts, receipt: Receipt) -> None:
    """What must hold before an attempt is permitted or held.

    Raises InvariantBroken if the receipt is not one of this attempt, and OutputExists where a table is written in mode
    `error` and has rows that this plan did not bring.
    """
    check_receipt(receipt, facts.id, facts.attempt, facts.routes)
    for output in receipt.outputs:
        if facts.routes.mode_of(output.sink, output.table) is SinkMode.ERROR and output_store.has_foreign_rows(
            connection, output.sink, output.table, facts.plan_id
        ):
            raise OutputExists(f"table {output.table} already has rows", where=output.sink)


def waits_for_the_end(facts: Facts, receipt: Receipt) -> bool:
    """Whether a job replaces rows somewhere: then all of it becomes visible at the end of the run, with the others."""
    tables = {count.table for count in receipt.counts} or {""}
    return any(target.mode is SinkMode.REPLACE for table in tables for target in facts.routes.targets_of(table))


def contracts_behind(
    connection: Connection, receipt: Receipt, in_force: Mapping[str, Contract]
) -> Mapping[str, Contract]:
    """The contracts under which the rows of a receipt were accepted: a person may have decided another one since."""
    older = {
        output.table: contract
        for output in receipt.outputs
        if output.table in in_force
        and output.contract_version not in (0, in_force[output.table].version)
        and (contract := contract_store.of_version(connection, output.table, output.contract_version)) is not None
    }
    return {**in_force, **older} if older else in_force


def permit(
    connection: Connection, facts: Facts, receipt: Receipt, contracts: Mapping[str, Contract], now_ns: int
) -> list[PermittedEntry] | None:
    """The commit point of one job that replaces nothing, inside the caller's transaction.

    None if the attempt is stale or cancelled: it must not become visible. Otherwise the entries of all its sinks, whose
    bytes are now fixed; from here on the job only rolls forward.
    """
    if not job_store.permit(connection, facts.id, facts.attempt, msgspec.json.encode(receipt).decode()):
        return None
    contracts = contracts_behind(connection, receipt, contracts)
    permitted = []
    for sink in facts.routes.sinks:
        removed = output_store.superseded_by(connection, sink, facts.id, facts.source_hash, facts.parser_name)
        permitted += entries_for(connection, sink, [(facts, receipt)], removed, contracts)
    _keep(connection, permitted, facts, now_ns)
    return permitted


def permit_replacement(
    connection: Connection,
    sealed: Sequence[tuple[Facts, Receipt]],
    kept_hashes: Iterable[str],
    contracts: Mapping[str, Contract],
    now_ns: int,
) -> frozenset[int]:
    """The commit point of all held jobs: where they replace, one entry per log supersedes every other job of the table.

    Returns the jobs that are permitted: those cancelled meanwhile are not. Rows of bytes in `kept_hashes` that none of
    the permitted jobs has read again stay: files that are up to date, and files that failed.
    """
    permitted = [
        (facts, receipt)
        for facts, receipt in sealed
        if job_store.permit(connection, facts.id, facts.attempt, msgspec.json.encode(receipt).decode())
    ]
    if not permitted:
        return frozenset()
    kept = set(kept_hashes) - {facts.source_hash for facts, _ in permitted}
    replaced: dict[str, set[str]] = {sink: set() for facts, _ in permitted for sink in facts.routes.sinks}
    for facts, receipt in permitted:
        for output in receipt.outputs:
            if facts.routes.mode_of(output.sink, output.table) is SinkMode.REPLACE:
                replaced[output.sink].add(output.table)
    entries = []
    for sink, tables in sorted(replaced.items()):
        removed = [
            row
            for table in sorted(tables)
            for row in output_store.current_in_table(connection, sink, table)
            if row.source_hash not in kept
        ]
        for facts, _ in permitted:  # what a file brought before may be in tables that this run brings nothing to
            removed += output_store.superseded_by(connection, sink, facts.id, facts.source_hash, facts.parser_name)
        entries += entries_for(connection, sink, permitted, removed, contracts, replaced=tables)
    _keep(connection, entries, permitted[0][0], now_ns)
    return frozenset(facts.id for facts, _ in permitted)


def retire(connection: Connection, now_ns: int) -> list[PermittedEntry]:
    """Fix entries that take out rows of bytes which no location carries any more.

    Rows that an entry takes out which could not be written yet are not taken out again.
    """
    pending = {
        (row.sink_uri, row.table_name, job)
        for row in output_store.unrecorded(connection)
        for job in parse_entry(row.body, row.sink_uri).removed_jobs
    }
    by_sink: dict[str, list[AnyRow]] = defaultdict(list)
    for row in output_store.stale(connection):
        if (row.sink_uri, row.table_name, row.job_id) not in pending:
            by_sink[row.sink_uri].append(row)
    fixed = []
    for sink, rows in by_sink.items():
        fixed += entries_for(connection, sink, [], rows, {}, action=EntryAction.RETIRE)
    _keep(connection, fixed, None, now_ns)
    return fixed


def record(connection: Connection, facts: Facts, contracts: Mapping[str, Contract], now_ns: int) -> Receipt | None:
    """Record that a permitted job is visible: materializations, quarantine, verdicts, drift and its final state.

    None, and nothing is changed, if that was done already.
    """
    if facts.state == JobState.COMPLETED:
        return None
    if facts.receipt is None or not job_store.complete(connection, facts.id, now_ns):
        raise InvariantBroken(f"job {facts.id} was promoted without a permit")
    receipt = msgspec.json.decode(facts.receipt, type=Receipt)
    contracts = contracts_behind(connection, receipt, contracts)
    for row in output_store.unrecorded_of(connection, facts.id):
        output_store.supersede(
            connection, row.sink_uri, row.table_name, parse_entry(row.body, row.sink_uri).removed_jobs
        )
    output_store.record_commits(connection, facts.id)
    output_store.add_materializations(connection, materializations_of(facts, receipt, contracts, now_ns))
    if receipt.groups:
        connection.execute(
            insert(quarantine),
            [
                {
                    "job_id": facts.id,
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
                for group in receipt.groups
            ],
        )
    if receipt.verdicts:
        connection.execute(
            insert(verdicts),
            [
                {
                    "job_id": facts.id,
                    "ordinal": at,
                    "name": note.name,
                    "value": note.value,
                    "confidence": note.confidence,
                    "runner_up": note.runner_up,
                }
                for at, note in enumerate(receipt.verdicts)
            ],
        )
    if receipt.drift:
        connection.execute(
            insert(drift),
            [
                {
                    "job_id": facts.id,
                    "ordinal": at,
                    "table_name": note.table,
                    "axis": note.axis,
                    "column_name": note.column,
                    "detail": note.detail,
                    "rows": note.rows,
                }
                for at, note in enumerate(receipt.drift)
            ],
        )
    return receipt


def record_retirement(connection: Connection, commit: int, entry: PermittedEntry) -> None:
    """Record that an entry that only removes rows is visible."""
    output_store.supersede(connection, entry.sink, entry.table, parse_entry(entry.body, entry.sink).removed_jobs)
    connection.execute(output_store.RECORD_RETIREMENT, {"commit": commit})


def records_of(body: bytes, where: str) -> Sequence[JobRecord]:
    """What each job did for the table of one entry."""
    return parse_entry(body, where).jobs


def _keep(connection: Connection, entries: Iterable[PermittedEntry], facts: Facts | None, now_ns: int) -> None:
    """Keep the bytes of entries before anyone writes them; those of a job are recorded with it."""
    job, attempt = (None, None) if facts is None else (facts.id, facts.attempt)
    for entry in entries:
        output_store.add_commit(connection, entry, now_ns, job=job, attempt=attempt)
