"""How what `operations.output.history` names is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.outputs import Role
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.output.placement import sink_of
from casparian_flow.operations.output.history import HistoryEntry, ShowHistory, TableHistory
from casparian_flow.sentinel.history.timeline import Replay, TableCommit, commits_of

COMPACT = "compact"
"""In place of the action of the log, where files were merged."""


@dataclass(frozen=True, slots=True)
class History:
    """The commits, newest first, and how many bytes the files hold whose rows are visible."""

    entries: list[HistoryEntry]
    size: int


def history(reading: Reading, request: ShowHistory) -> TableHistory:
    """Every commit of a table; raises NotFound."""
    uri = sink_of(reading.connection, reading.home, reading.cwd, request.table, request.sink)
    found = table_history(reading.connection, uri, request.table)
    return TableHistory(table=request.table, sink=uri, commits=found.entries)


def table_history(connection: Connection, sink: str, table: str) -> History:
    """The table's past, from the entries that the store keeps: the same for every kind of sink."""
    past = Replay()
    entries = []
    for commit in commits_of(connection, sink, table):
        before = _rows(past)
        undone = past.undone
        past.apply(commit)
        entries.append(_entry(commit, before, _rows(past), past.undone - undone if commit.reverts_job else frozenset()))
    entries.reverse()
    files = [visible.file for state in past.states.values() for visible in state.files.values()]
    return History(entries, sum(file.size for file in files))


def _rows(past: Replay) -> dict[Role, int]:
    return {role: state.rows for role, state in past.states.items()}


def _entry(
    commit: TableCommit, before: Mapping[Role, int], after: Mapping[Role, int], undone: frozenset[int]
) -> HistoryEntry:
    added = {
        role: sum(file.rows for file in commit.entries[role].adds)
        if role in commit.entries and not commit.is_compaction
        else 0
        for role in Role
    }
    removed = {role: before[role] + added[role] - after[role] for role in Role}
    seqs = {role: entry.seq for role, entry in commit.entries.items()}
    return HistoryEntry(
        snapshot=commit.snapshot,
        at=rfc3339(commit.at_ns),
        action=COMPACT if commit.is_compaction else commit.action,
        job=None if commit.job is None else str(commit.job),
        jobs=[] if commit.job is None else [str(job) for job in sorted(commit.jobs)],
        added=added[Role.ACCEPTED],
        removed=removed[Role.ACCEPTED],
        rows=after[Role.ACCEPTED],
        quarantine_added=added[Role.QUARANTINE],
        quarantine_removed=removed[Role.QUARANTINE],
        quarantined=after[Role.QUARANTINE],
        seq=seqs.get(Role.ACCEPTED),
        quarantine_seq=seqs.get(Role.QUARANTINE),
        reverts_to=commit.reverts_to,
        reverts_job=next((str(job) for job in undone), None),
        actor=commit.actor,
        reason=commit.reason,
        is_visible=commit.is_recorded,
    )
