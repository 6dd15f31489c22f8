"""Commits that are permitted and not recorded: their bytes are fixed, and they only go forward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sentinel.commit import commits
from casparian_flow.sinks.log import EntryAction, parse_entry
from casparian_flow.store import outputs as output_store
from casparian_flow.store.engine import AnyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCommit:
    """The entries of one permit, whatever their sinks.

    `jobs` are recorded with it: several when they were sealed together, or replace a table. Without a job it is a
    revert, or takes rows out.
    """

    rows: tuple[AnyRow, ...]
    entries: tuple[PermittedEntry, ...]
    jobs: frozenset[int]

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of its entries in the store."""
        return tuple(row.id for row in self.rows)


def open_commits(connection: Connection) -> list[OpenCommit]:
    """All of them, oldest first; entries that no job brought are apart by table."""
    found: dict[tuple[object, ...], list[AnyRow]] = defaultdict(list)
    for row in output_store.unrecorded(connection):
        alone = (row.sink_uri, row.table_name, row.permitted_at_ns, row.reverts_to)
        found[alone if row.job_id is None else (row.job_id,)].append(row)
    return [
        OpenCommit(rows=tuple(rows), entries=tuple(map(_entry, rows)), jobs=_jobs_behind(rows))
        for rows in found.values()
    ]


def entries_of_job(connection: Connection, job: int) -> list[PermittedEntry]:
    """What a permitted job is to make visible."""
    return [_entry(row) for row in output_store.unrecorded_of(connection, [job])]


def jobs_led_by(connection: Connection, job: int) -> tuple[int, ...]:
    """The permitted jobs whose entries a job leads, itself first; none if it is behind another one's."""
    if rows := output_store.unrecorded_of(connection, [job]):
        return (job, *sorted(_jobs_behind(rows) - {job}))
    return () if any(job in commit.jobs for commit in open_commits(connection)) else (job,)


def record_without_job(connection: Connection, commit: Sequence[int]) -> None:
    """Record the entries of these ids, which no job brought, unless that was done already."""
    rows = [row for row in output_store.unrecorded(connection) if row.id in commit]
    if rows and parse_entry(rows[0].body, rows[0].sink_uri).action is EntryAction.REVERT:
        from casparian_flow.sentinel.history.reversal import record_reversal  # noqa: PLC0415 - most entries revert nothing

        record_reversal(connection, rows[0].sink_uri, rows[0].table_name, [row.id for row in rows])
        return
    for row in rows:
        commits.record_retirement(connection, row.id, _entry(row))


def _jobs_behind(rows: Sequence[AnyRow]) -> frozenset[int]:
    leader = rows[0].job_id
    if leader is None:
        return frozenset()
    return frozenset({leader} | {each.job for row in rows for each in commits.records_of(row.body, row.sink_uri)})


def _entry(row: AnyRow) -> PermittedEntry:
    return PermittedEntry(sink=row.sink_uri, table=row.table_name, role=Role(row.role), seq=row.seq, body=row.body)
