"""The history of one table in one sink: its commits in order, and the table after each of them.

A table has two logs, of accepted and of quarantined rows. What one permit wrote into both is one commit here; the
snapshot after it is named by the id of its last entry in the store, which orders both logs and never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.log import Entry, EntryAction, parse_entry
from casparian_flow.sinks.state import TableState
from casparian_flow.store import reversals as store
from casparian_flow.store.engine import AnyRow

BEFORE_ALL = 0
"""The snapshot of a table before its first commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCommit:
    """One commit of one table. `snapshot` names the table after it; `job` is None where nothing was read.

    `reverts_to` is that of a revert to a snapshot; one of a job has none. `actor` and `reason` are those of what a
    person asked for without a run.
    """

    snapshot: int
    at_ns: int
    action: EntryAction
    job: int | None
    entries: Mapping[Role, Entry]
    is_recorded: bool
    reverts_to: int | None = None
    actor: str | None = None
    reason: str | None = None

    @property
    def is_compaction(self) -> bool:
        """Whether it puts rows that stay into other files."""
        return self.action is EntryAction.RETIRE and any(entry.adds for entry in self.entries.values())

    @property
    def reverts_job(self) -> bool:
        """Whether it undoes one job, whatever came after that."""
        return self.action is EntryAction.REVERT and self.reverts_to is None

    @property
    def jobs(self) -> frozenset[int]:
        """The jobs whose rows it adds."""
        return frozenset(part.job for entry in self.entries.values() for file in entry.adds for part in file.jobs)


def commits_of(connection: Connection, sink: str, table: str) -> Iterator[TableCommit]:
    """Every commit of the table, oldest first, read as it is asked for."""
    return _grouped(store.commits_of_table(connection, sink, table), f"{sink} {table}")


def commits_since(connection: Connection, sink: str, table: str, snapshot: int) -> Iterator[TableCommit]:
    """Those of them that came after a snapshot."""
    return _grouped(store.commits_since(connection, sink, table, snapshot), f"{sink} {table}")


def commit_of(connection: Connection, sink: str, table: str, job: int) -> TableCommit | None:
    """The commit that first brought a job's rows to the table; None if it brought none."""
    commits = _grouped(store.commits_of_job(connection, sink, table, job), f"{sink} {table}")
    return next((commit for commit in commits if job in commit.jobs), None)


def _grouped(rows: Iterable[AnyRow], where: str) -> Iterator[TableCommit]:
    pending: list[tuple[AnyRow, Entry]] = []
    for row in rows:
        entry = parse_entry(row.body, f"{where} {row.role} {row.seq}")
        if pending and not _belongs(row, entry, pending):
            yield _commit(pending)
            pending = []
        pending.append((row, entry))
    if pending:
        yield _commit(pending)


def _belongs(row: AnyRow, entry: Entry, pending: list[tuple[AnyRow, Entry]]) -> bool:
    """Whether an entry was permitted together with the entries before it."""
    last, last_entry = pending[-1]
    return (row.job_id, row.attempt, row.permitted_at_ns, entry.action) == (
        last.job_id,
        last.attempt,
        last.permitted_at_ns,
        last_entry.action,
    ) and all(row.role != known.role for known, _entry in pending)


def _commit(rows: list[tuple[AnyRow, Entry]]) -> TableCommit:
    last, entry = rows[-1]
    return TableCommit(
        snapshot=last.id,
        at_ns=last.permitted_at_ns,
        action=entry.action,
        job=last.job_id,
        entries={Role(row.role): each for row, each in rows},
        is_recorded=all(row.is_recorded for row, _entry in rows),
        reverts_to=last.reverts_to,
        actor=last.actor,
        reason=last.reason,
    )


@dataclass(slots=True)
class Replay:
    """Both logs of a table, moved on commit by commit.

    `undone` are the jobs that are out of the table because somebody reverted them, and for no other reason.
    """

    snapshot: int = BEFORE_ALL
    states: dict[Role, TableState] = field(default_factory=lambda: {role: TableState() for role in Role})
    undone: frozenset[int] = frozenset()
    _undone_at: dict[int, frozenset[int]] = field(default_factory=lambda: {BEFORE_ALL: frozenset()})
    _added_by: list[tuple[int, frozenset[int]]] = field(default_factory=list)

    def apply(self, commit: TableCommit) -> None:
        """Move on by one commit."""
        before = self.live_jobs() if commit.reverts_job else frozenset[int]()
        for role, entry in commit.entries.items():
            self.states[role].apply(entry)
        if commit.reverts_to is not None:
            self.undone = self._undone_at[commit.reverts_to] | self.added_after(commit.reverts_to)
        elif commit.reverts_job:
            after = self.live_jobs()
            self.undone = (self.undone | (before - after)) - after
        elif commit.action is not EntryAction.RETIRE:  # what it adds has been there before
            self._added_by.append((commit.snapshot, commit.jobs))
        self.snapshot = commit.snapshot
        self._undone_at[commit.snapshot] = self.undone

    def added_after(self, snapshot: int) -> frozenset[int]:
        """The jobs that first brought rows after that snapshot."""
        return frozenset(job for at, jobs in self._added_by if at > snapshot for job in jobs)

    def live_jobs(self) -> frozenset[int]:
        """The jobs whose rows, accepted or quarantined, are in the table."""
        return frozenset().union(*(state.live_jobs() for state in self.states.values()))


def replay(commits: Iterable[TableCommit], upto: int | None = None) -> Replay:
    """The table after its last commit, or after the snapshot `upto`, which must be one of its own.

    Raises NotFound for a number that is no snapshot of the table.
    """
    found = Replay()
    known = [BEFORE_ALL]
    for commit in commits:
        if upto is not None and commit.snapshot > upto:
            break
        found.apply(commit)
        known.append(commit.snapshot)
    if upto is not None and found.snapshot != upto:
        raise NotFound(f"the table has no snapshot {upto}", why=f"the one before it is {known[-1]}")
    return found
