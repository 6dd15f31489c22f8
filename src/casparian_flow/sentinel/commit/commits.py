"""Permit, then record: the two transactions between a sealed attempt and its visible rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError, InvariantBroken, OutputExists
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import PermittedEntry, SinkMode
from casparian_flow.core.receipts import Receipt
from casparian_flow.sentinel.commit.entries import entries_for
from casparian_flow.sentinel.commit.proofs import materializations_of
from casparian_flow.sentinel.commit.receipts import SharedFiles, check_receipt
from casparian_flow.sentinel.governance import drafting
from casparian_flow.sentinel.planning import awaited_rows
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.log import EntryAction, JobRecord, parse_entry, removed_jobs_of
from casparian_flow.store import causes, tombstones
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import touch_losing
from casparian_flow.store.facts import Facts
from casparian_flow.store.findings import add_findings

Group = Sequence[tuple[Facts, Receipt]]
"""Jobs that are sealed and decided together, their leader first."""


class NotPermitted(Exception):
    """One of a group is stale or cancelled: what was changed for the others has to be taken back."""


def check(connection: Connection, group: Group) -> dict[int, CasparianError]:
    """What keeps jobs of a group from being permitted or held, by job.

    InvariantBroken if a receipt is not one of this group, and OutputExists where a table is written in mode `error` and
    has rows that this plan did not bring.
    """
    leader = Attempt(job=group[0][0].id, attempt=group[0][0].attempt)
    wrong: dict[int, CasparianError] = {}
    files = SharedFiles()
    for facts, receipt in group:
        try:
            if (facts.plan_id, facts.parser_id) != (group[0][0].plan_id, group[0][0].parser_id):
                raise InvariantBroken("a group holds jobs of several orders")
            check_receipt(receipt, leader, facts.routes)
            files.check(receipt)
            _check_free(connection, facts, receipt)
        except CasparianError as exc:
            wrong[facts.id] = exc
    return wrong


def _check_free(connection: Connection, facts: Facts, receipt: Receipt) -> None:
    for output in receipt.outputs:
        if facts.routes.mode_of(output.sink, output.table) is SinkMode.ERROR and output_store.has_foreign_rows(
            connection, output.sink, output.table, facts.plan_id
        ):
            raise OutputExists(f"table {output.table} already has rows", where=output.sink)


def waits_for_the_end(facts: Facts, receipt: Receipt) -> bool:
    """Whether a job replaces rows somewhere: then all of it becomes visible at the end of the run, with the others."""
    tables = {count.table for count in receipt.counts} or {""}
    return any(target.mode is SinkMode.REPLACE for table in tables for target in facts.routes.targets_of(table))


def contracts_behind(connection: Connection, group: Group, in_force: Mapping[str, Contract]) -> Mapping[str, Contract]:
    """The contracts under which the rows of a group were accepted: a person may have decided another one since."""
    versions = {
        (output.table, output.contract_version)
        for _, receipt in group
        for output in receipt.outputs
        if output.table in in_force and output.contract_version not in (0, in_force[output.table].version)
    }
    older = {
        table: contract
        for table, version in sorted(versions)
        if (contract := contract_store.of_version(connection, table, version)) is not None
    }
    return {**in_force, **older} if older else in_force


def carries_what_is_gone(connection: Connection, group: Group) -> list[int]:
    """The jobs that took over rows of a job that they do not replace, wherever they have rows themselves.

    Somebody has taken it out since, or its bytes were read by another one.
    """
    gone = []
    for facts, receipt in group:
        if receipt.carries is None:
            continue
        shown = {
            (sink, row.table_name)
            for sink in facts.routes.sinks
            for row in _superseded(connection, sink, [(facts, receipt)])
            if row.job_id == receipt.carries == facts.carries
        }
        places = {(target.uri, each.table) for each in receipt.counts for target in facts.routes.targets_of(each.table)}
        if not places <= shown:
            gone.append(facts.id)
    return gone


def hold(connection: Connection, group: Group) -> None:
    """Keep a sealed group until its run ends; raises NotPermitted if one of it is stale or cancelled."""
    if not job_store.hold(connection, _sealed(group)):
        raise NotPermitted


def permit(
    connection: Connection, group: Group, contracts: Mapping[str, Contract], now_ns: int
) -> list[PermittedEntry]:
    """The commit point of a group that replaces nothing, inside the caller's transaction.

    The entries of all its sinks, whose bytes are now fixed; from here on its jobs only roll forward. Raises
    NotPermitted if one of it is stale or cancelled: then nothing of it may become visible.
    """
    if not job_store.permit(connection, _sealed(group)):
        raise NotPermitted
    permitted: list[PermittedEntry] = []
    behind = contracts_behind(connection, group, contracts)
    for sink in dict.fromkeys(sink for facts, _ in group for sink in facts.routes.sinks):
        permitted += entries_for(connection, sink, group, _superseded(connection, sink, group), behind)
    _keep(connection, permitted, group[0][0], now_ns)
    return permitted


def _superseded(connection: Connection, sink: str, group: Group) -> list[AnyRow]:
    """What jobs replace in a sink because they have read the same bytes again, or newer ones."""
    by_parser: dict[str, list[Facts]] = defaultdict(list)
    for facts, _ in group:
        by_parser[facts.parser_name].append(facts)
    return [
        row
        for parser, each in by_parser.items()
        for row in output_store.superseded_by(
            connection, sink, [facts.id for facts in each], [facts.source_hash for facts in each], parser
        )
    ]


def _sealed(group: Group) -> list[dict[str, Any]]:
    return [
        {
            "job": facts.id,
            "of_attempt": facts.attempt,
            "sealed_receipt": msgspec.json.encode(receipt).decode(),
            "sealed_rows": receipt.accepted + receipt.quarantined,
            "sealed_bytes": receipt.bytes_read,
        }
        for facts, receipt in group
    ]


def permit_replacement(
    connection: Connection,
    sealed: Group,
    kept_hashes: Iterable[str],
    contracts: Mapping[str, Contract],
    now_ns: int,
) -> None:
    """The commit point of all held jobs: where they replace, one entry per log supersedes every other job of the table.

    Rows of bytes in `kept_hashes` that none of these jobs has read again stay: files that are up to date, and files
    that failed. Raises NotPermitted if one of them is stale or cancelled.
    """
    if not job_store.permit(connection, _sealed(sealed)):
        raise NotPermitted
    kept = set(kept_hashes) - {facts.source_hash for facts, _ in sealed}
    replaced: dict[str, set[str]] = {sink: set() for facts, _ in sealed for sink in facts.routes.sinks}
    for facts, receipt in sealed:
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
        # What a file brought before may be in tables that this run brings nothing to.
        removed += _superseded(connection, sink, sealed)
        entries += entries_for(connection, sink, sealed, removed, contracts, replaced=tables)
    _keep(connection, entries, sealed[0][0], now_ns)


def retire(connection: Connection, now_ns: int) -> list[PermittedEntry]:
    """Fix entries that take out rows of bytes which no location carries any more.

    Rows that an entry takes out which could not be written yet are not taken out again.
    """
    pending = {
        (row.sink_uri, row.table_name, job)
        for row in output_store.unrecorded(connection)
        for job in removed_jobs_of(row.body, row.sink_uri)
    }
    rows = [row for row in output_store.stale(connection) if (row.sink_uri, row.table_name, row.job_id) not in pending]
    tombstones.add_retired(connection, rows, now_ns)
    return take_out(connection, rows, now_ns)


def take_out(connection: Connection, rows: Iterable[AnyRow], now_ns: int) -> list[PermittedEntry]:
    """Fix entries that take these materializations out of their tables, for whatever reason."""
    by_sink: dict[str, list[AnyRow]] = defaultdict(list)
    for row in rows:
        by_sink[row.sink_uri].append(row)
    fixed = []
    for sink, some in by_sink.items():
        fixed += entries_for(connection, sink, [], some, {}, action=EntryAction.RETIRE)
    _keep(connection, fixed, None, now_ns)
    return fixed


def record(
    connection: Connection, jobs: Sequence[Facts], contracts: Mapping[str, Contract], now_ns: int
) -> dict[int, Receipt]:
    """Record that permitted jobs are visible: materializations, quarantine, verdicts, drift and their final state.

    The receipts of those that were not recorded already. Raises InvariantBroken if one of them has no permit.
    """
    new = [facts for facts in jobs if facts.state != JobState.COMPLETED]
    if not new:
        return {}
    if any(facts.receipt is None for facts in new) or not job_store.complete(
        connection, [each.id for each in new], now_ns
    ):
        raise InvariantBroken(f"jobs {', '.join(str(each.id) for each in new)} were promoted without a permit")
    group = [(facts, msgspec.json.decode(facts.receipt or "", type=Receipt)) for facts in new]
    in_force, contracts = contracts, contracts_behind(connection, group, contracts)
    ids = [facts.id for facts in new]
    rows = [row for facts, receipt in group for row in materializations_of(facts, receipt, contracts, now_ns)]
    refers = awaited_rows.referring(in_force)
    arrived = awaited_rows.arriving(connection, rows, refers)
    for row in output_store.unrecorded_of(connection, ids):
        removed = removed_jobs_of(row.body, row.sink_uri)
        output_store.supersede(connection, row.sink_uri, row.table_name, removed)
        touch_losing(connection, removed, group[0][0].plan_id)
    output_store.record_commits(connection, ids)
    output_store.add_materializations(connection, rows)
    add_findings(connection, {facts.id: (facts.parser_name, receipt) for facts, receipt in group}, now_ns)
    causes.close_read_again(connection, ids, now_ns)
    awaited_rows.make_ready(connection, group, arrived, refers)
    drafting.note(connection, group, in_force, contracts, now_ns)
    return {facts.id: receipt for facts, receipt in group}


def record_retirement(connection: Connection, commit: int, entry: PermittedEntry) -> None:
    """Record that an entry that only removes rows is visible."""
    removed = removed_jobs_of(entry.body, entry.sink)
    output_store.supersede(connection, entry.sink, entry.table, removed)
    touch_losing(connection, removed, drafting.NO_RUN)
    connection.execute(output_store.RECORD_RETIREMENT, {"commit": commit})


def records_of(body: bytes, where: str) -> Sequence[JobRecord]:
    """What each job did for the table of one entry."""
    return parse_entry(body, where).jobs


def _keep(connection: Connection, entries: Iterable[PermittedEntry], facts: Facts | None, now_ns: int) -> None:
    """Keep the bytes of entries before anyone writes them; those of a job are recorded with it."""
    job, attempt = (None, None) if facts is None else (facts.id, facts.attempt)
    for entry in entries:
        output_store.add_commit(connection, entry, now_ns, job=job, attempt=attempt)
