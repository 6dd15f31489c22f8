"""Log entries with their bytes fixed: what each log of a sink gains and loses by one commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.outputs import PermittedEntry, Role, SealedFile, SealedOutput
from casparian_flow.core.receipts import Receipt
from casparian_flow.sentinel.commit.proofs import materialization_key_of
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, JobRows, entry_bytes
from casparian_flow.store import outputs as output_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.facts import Facts


def entries_for(
    connection: Connection,
    sink: str,
    permitted: Sequence[tuple[Facts, Receipt]],
    removed: Sequence[AnyRow],
    contracts: Mapping[str, Contract],
    *,
    action: EntryAction = EntryAction.APPEND,
    replaced: Collection[str] = (),
) -> list[PermittedEntry]:
    """One entry for every log of the sink that gains or loses rows, in a deterministic order.

    `removed` are materializations in that sink; entries of the tables in `replaced` say that they replace. Takes the
    next sequence numbers, so it is only valid inside the permit's transaction.
    """
    adds: dict[tuple[str, Role], list[tuple[Facts, Receipt, SealedOutput]]] = defaultdict(list)
    for facts, receipt in permitted:
        for output in receipt.outputs:
            if output.sink == sink and output.rows:
                adds[output.table, Role(output.role)].append((facts, receipt, output))
    removes: dict[tuple[str, Role], set[int]] = defaultdict(set)
    for row in removed:
        if row.accepted:
            removes[row.table_name, Role.ACCEPTED].add(row.job_id)
        if row.quarantined or row.purged:  # its log knows it still, without a row
            removes[row.table_name, Role.QUARANTINE].add(row.job_id)
    entries = []
    for table, role in sorted({*adds, *removes}):
        added = adds[table, role]
        seq = output_store.next_seq(connection, sink, table, role)
        entry = Entry(
            table=table,
            role=role,
            seq=seq,
            action=EntryAction.REPLACE if table in replaced else action,
            contract_version=added[0][2].contract_version if added else 0,
            schema_hash=added[0][2].schema_hash if added else "",
            adds=_added_files(added),
            removed_jobs=tuple(sorted(removes[table, role])),
            jobs=tuple(_job_record(facts, receipt, output, contracts) for facts, receipt, output in added),
        )
        entries.append(PermittedEntry(sink=sink, table=table, role=role, seq=seq, body=entry_bytes(entry)))
    return entries


def _added_files(added: Sequence[tuple[Facts, Receipt, SealedOutput]]) -> tuple[AddedFile, ...]:
    """Each file once, with the rows that each job has in it."""
    jobs: dict[str, list[JobRows]] = defaultdict(list)
    files: dict[str, SealedFile] = {}
    for facts, _receipt, output in added:
        for file in output.files:
            files.setdefault(file.name, file)
            jobs[file.name].append(JobRows(job=facts.id, rows=file.rows))
    return tuple(
        AddedFile(
            name=name,
            size=file.size,
            digest=file.digest,
            rows=sum(each.rows for each in jobs[name]),
            jobs=tuple(jobs[name]),
        )
        for name, file in files.items()
    )


def _job_record(facts: Facts, receipt: Receipt, output: SealedOutput, contracts: Mapping[str, Contract]) -> JobRecord:
    count = next(count for count in receipt.counts if count.table == output.table)
    mode = facts.routes.mode_of(output.sink, output.table)
    assert mode is not None  # what is sealed elsewhere does not pass the check of the receipt
    return JobRecord(
        job=facts.id,
        attempt=facts.attempt,
        materialization_key=materialization_key_of(facts, output.sink, mode, output.table, contracts),
        row_digest=output.row_digest,
        emitted=count.emitted,
        accepted=count.accepted,
        quarantined=count.quarantined,
    )
