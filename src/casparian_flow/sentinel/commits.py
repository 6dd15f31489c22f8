"""Permit, then record: the two transactions between a sealed attempt and its visible rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import InvariantBroken, OutputExists
from casparian_flow.core.ids import ArtifactHash, ConfigHash, ContractHash, EnvHash, MaterializationKey, SourceHash
from casparian_flow.core.keys import materialization_key, output_target_key
from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput, SinkMode
from casparian_flow.core.quarantine import EntryState
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, JobRows, entry_bytes, parse_entry
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import drift, jobs, materializations, parsers, quarantine, verdicts

FACTS = select(
    jobs.c.id,
    jobs.c.attempt,
    jobs.c.plan_id,
    jobs.c.source_hash,
    jobs.c.config_hash,
    jobs.c.sink_uri,
    jobs.c.sink_mode,
    jobs.c.receipt,
    parsers.c.name.label("parser_name"),
    parsers.c.artifact_hash,
    parsers.c.env_hash,
).join(parsers, parsers.c.id == jobs.c.parser_id)


def facts_of(connection: Connection, job: int) -> AnyRow:
    """What a commit needs to know of a job."""
    return connection.execute(FACTS.where(jobs.c.id == job)).one()


def permit(
    connection: Connection, facts: AnyRow, receipt: Receipt, contracts: Mapping[str, Contract], now_ns: int
) -> list[PermittedEntry] | None:
    """The commit point of one appended job, inside the caller's transaction.

    None if the attempt is stale or cancelled: it must not become visible. Otherwise the entries whose bytes are now
    fixed; from here on the job only rolls forward. Raises InvariantBroken if the receipt's rows do not add up, and
    OutputExists in mode `error` when a table has rows that this plan did not bring.
    """
    receipt.check_conservation()
    if facts.sink_mode == SinkMode.ERROR:
        for output in receipt.outputs:
            if output_store.has_foreign_rows(connection, facts.sink_uri, output.table, facts.plan_id):
                raise OutputExists(f"table {output.table} already has rows", where=facts.sink_uri)
    if not job_store.permit(connection, facts.id, facts.attempt, msgspec.json.encode(receipt).decode()):
        return None
    removed = output_store.superseded_by(connection, facts.sink_uri, facts.id, facts.source_hash, facts.parser_name)
    entries = _entries(connection, [(facts, receipt)], removed, contracts, action=EntryAction.APPEND)
    for entry in entries:
        output_store.add_commit(connection, facts.sink_uri, entry, now_ns, job=facts.id, attempt=facts.attempt)
    return entries


def permit_replacement(
    connection: Connection,
    sealed: Sequence[tuple[AnyRow, Receipt]],
    kept_hashes: Iterable[str],
    contracts: Mapping[str, Contract],
    now_ns: int,
) -> frozenset[int]:
    """The commit point of a whole `replace` run: one entry per log supersedes every other job of those tables.

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
    sink, mine = permitted[0][0].sink_uri, frozenset(facts.id for facts, _ in permitted)
    kept = set(kept_hashes) - {facts.source_hash for facts, _ in permitted}
    touched = {output.table for _, receipt in permitted for output in receipt.outputs}
    removed = [
        row
        for table in sorted(touched)
        for row in output_store.current_in_table(connection, sink, table)
        if row.source_hash not in kept
    ]
    for facts, _ in permitted:  # what a file brought before may be in tables that this run brings nothing to
        removed += output_store.superseded_by(connection, sink, facts.id, facts.source_hash, facts.parser_name)
    entries = _entries(connection, permitted, removed, contracts, action=EntryAction.REPLACE)
    first = permitted[0][0]
    for entry in entries:
        output_store.add_commit(connection, sink, entry, now_ns, job=first.id, attempt=first.attempt)
    return mine


def retire(connection: Connection, now_ns: int) -> list[tuple[str, int, PermittedEntry]]:
    """Fix entries that take out rows of bytes which no location carries any more: (sink, commit, entry) each.

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
        for entry in _entries(connection, [], rows, {}, action=EntryAction.RETIRE, sink=sink):
            commit = output_store.add_commit(connection, sink, entry, now_ns, job=None, attempt=None)
            fixed.append((sink, commit, entry))
    return fixed


def record(connection: Connection, facts: AnyRow, contracts: Mapping[str, Contract], now_ns: int) -> Receipt:
    """Record that a permitted job is visible: materializations, quarantine, verdicts, drift and its final state."""
    receipt = msgspec.json.decode(facts.receipt, type=Receipt)
    if not job_store.complete(connection, facts.id, now_ns):
        raise InvariantBroken(f"job {facts.id} was promoted without a permit")
    for row in output_store.unrecorded_of(connection, facts.id):
        output_store.supersede(
            connection, row.sink_uri, row.table_name, parse_entry(row.body, row.sink_uri).removed_jobs
        )
    connection.execute(output_store.RECORD_COMMIT, {"job": facts.id})
    connection.execute(insert(materializations), _materializations(facts, receipt, contracts, now_ns))
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


def record_retirement(connection: Connection, sink: str, commit: int, entry: PermittedEntry) -> None:
    """Record that an entry that only removes rows is visible."""
    output_store.supersede(connection, sink, entry.table, parse_entry(entry.body, sink).removed_jobs)
    connection.execute(output_store.RECORD_RETIREMENT, {"commit": commit})


def records_of(body: bytes, where: str) -> Sequence[JobRecord]:
    """What each job did for the table of one entry."""
    return parse_entry(body, where).jobs


def _entries(
    connection: Connection,
    permitted: Sequence[tuple[AnyRow, Receipt]],
    removed: Sequence[AnyRow],
    contracts: Mapping[str, Contract],
    *,
    action: EntryAction,
    sink: str = "",
) -> list[PermittedEntry]:
    """One entry for every log that gains or loses rows, its bytes fixed, in a deterministic order."""
    sink = sink or permitted[0][0].sink_uri
    adds: dict[tuple[str, Role], list[tuple[AnyRow, Receipt, SealedOutput]]] = defaultdict(list)
    for facts, receipt in permitted:
        for output in receipt.outputs:
            if output.rows:
                adds[output.table, Role(output.role)].append((facts, receipt, output))
    removes: dict[tuple[str, Role], set[int]] = defaultdict(set)
    for row in removed:
        if row.accepted:
            removes[row.table_name, Role.ACCEPTED].add(row.job_id)
        if row.quarantined:
            removes[row.table_name, Role.QUARANTINE].add(row.job_id)
    entries = []
    for table, role in sorted({*adds, *removes}):
        added = adds[table, role]
        seq = output_store.next_seq(connection, sink, table, role)
        entry = Entry(
            table=table,
            role=role,
            seq=seq,
            action=action,
            contract_version=added[0][2].contract_version if added else 0,
            schema_hash=added[0][2].schema_hash if added else "",
            adds=tuple(
                AddedFile(
                    name=file.name,
                    size=file.size,
                    digest=file.digest,
                    rows=file.rows,
                    jobs=(JobRows(job=facts.id, rows=file.rows),),
                )
                for facts, _receipt, output in added
                for file in output.files
            ),
            removed_jobs=tuple(sorted(removes[table, role])),
            jobs=tuple(_job_record(facts, receipt, output, contracts) for facts, receipt, output in added),
        )
        entries.append(PermittedEntry(table=table, role=role, seq=seq, body=entry_bytes(entry)))
    return entries


def _job_record(facts: AnyRow, receipt: Receipt, output: SealedOutput, contracts: Mapping[str, Contract]) -> JobRecord:
    count = next(count for count in receipt.counts if count.table == output.table)
    return JobRecord(
        job=facts.id,
        attempt=facts.attempt,
        materialization_key=_key(facts, output.table, contracts),
        row_digest=output.row_digest,
        emitted=count.emitted,
        accepted=count.accepted,
        quarantined=count.quarantined,
    )


def _key(facts: AnyRow, table: str, contracts: Mapping[str, Contract]) -> MaterializationKey:
    contract = contracts.get(table)
    contract_hash = contract.hash if contract else ContractHash("")
    return materialization_key(
        output_target_key(facts.sink_uri, table, contract_hash, facts.sink_mode),
        SourceHash(facts.source_hash),
        ArtifactHash(facts.artifact_hash),
        EnvHash(facts.env_hash),
        contract_hash,
        ConfigHash(facts.config_hash),
    )


def _materializations(
    facts: AnyRow, receipt: Receipt, contracts: Mapping[str, Contract], now_ns: int
) -> list[dict[str, Any]]:
    """One proof per table; a file without any rows still leaves one, so that it is not read again."""
    counts = receipt.counts or (OutputCounts(table="", emitted=0, accepted=0, quarantined=0),)
    digests = {output.table: output.row_digest for output in receipt.outputs if output.role == Role.ACCEPTED}
    rows = []
    for count in counts:
        contract = contracts.get(count.table)
        contract_hash = contract.hash if contract else ContractHash("")
        rows.append(
            {
                "key": _key(facts, count.table, contracts),
                "job_id": facts.id,
                "target_key": output_target_key(facts.sink_uri, count.table, contract_hash, facts.sink_mode),
                "source_hash": facts.source_hash,
                "parser_name": facts.parser_name,
                "artifact_hash": facts.artifact_hash,
                "env_hash": facts.env_hash,
                "config_hash": facts.config_hash,
                "sink_uri": facts.sink_uri,
                "sink_mode": facts.sink_mode,
                "table_name": count.table,
                "contract_hash": contract_hash,
                "contract_version": contract.version if contract else 0,
                "accepted": count.accepted,
                "quarantined": count.quarantined,
                "row_digest": digests.get(count.table, ""),
                "is_current": True,
                "recorded_at_ns": now_ns,
            }
        )
    return rows
