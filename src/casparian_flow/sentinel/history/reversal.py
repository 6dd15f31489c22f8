"""Takes a table back to an earlier snapshot by one more commit: nothing is deleted, and the history stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound, SinkUnavailable, UsageError
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sentinel.history.timeline import BEFORE_ALL, Replay, TableCommit, commits_of, replay
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, entry_bytes
from casparian_flow.sinks.state import TableState
from casparian_flow.store import outputs as output_store
from casparian_flow.store import reversals as store


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a revert does to one log of a table."""

    before: int
    after: int
    rows_out: int
    rows_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A revert that has been worked out and not been permitted: the entries that make `newest` look like `to`."""

    sink: str
    table: str
    to: int
    newest: int
    entries: Sequence[Entry]
    changes: dict[Role, Change]
    jobs_out: frozenset[int]
    jobs_back: frozenset[int]
    held: int
    """Files that are there and that a run does not read again by itself afterwards, as it is for this table."""
    seqs: dict[Role, int]
    """How far each log went at `to`."""


def plan_reversal(connection: Connection, sink: str, table: str, snapshot: str) -> Reversal:
    """What it takes to have the table as it was: `snapshot` is a number of its history, `@last`, or `@-1` and so on.

    Raises NotFound for a snapshot that it does not have, UsageError if the table is in that state already, or if its
    newest commit is a revert and the snapshot is counted from there, and SinkUnavailable while a commit of the table
    waits for its sink.
    """
    commits = list(commits_of(connection, sink, table))
    if waiting := next((commit for commit in commits if not commit.is_recorded), None):
        raise SinkUnavailable(
            f"commit {waiting.snapshot} of {table} is permitted and not written yet",
            where=sink,
            fix="make the sink available, then repeat the command",
        )
    to = resolve_snapshot(commits, table, snapshot)
    _refuse_counting_from_revert(commits, table, snapshot, to)
    now, then = replay(commits), replay(commits, to)
    if now.snapshot == to:
        raise UsageError(f"{table} is at snapshot {to} already", fix=f"casparian output history {table}")
    entries = [
        entry
        for role in Role
        if (entry := _entry(table, role, now.states[role], then.states[role], _upto(commits, to))) is not None
    ]
    if not entries:
        raise UsageError(
            f"{table} shows the same rows as at snapshot {to} already", fix=f"casparian output history {table}"
        )
    return Reversal(
        sink=sink,
        table=table,
        to=to,
        newest=now.snapshot,
        entries=entries,
        changes={role: change_between(now.states[role], then.states[role]) for role in Role},
        jobs_out=now.live_jobs() - then.live_jobs(),
        jobs_back=then.live_jobs() - now.live_jobs(),
        held=store.count_held(connection, sink, table, then.undone | now.added_after(to)),
        seqs={role: then.states[role].seq for role in Role},
    )


def resolve_snapshot(commits: Sequence[TableCommit], table: str, named: str) -> int:
    """The number of the snapshot that is meant; raises NotFound with the numbers that are near."""
    numbers = [BEFORE_ALL, *(commit.snapshot for commit in commits)]
    if named == "@last":
        return numbers[-1]
    if named.startswith("@-") and named[2:].isdecimal():
        back = int(named[2:])
        if back < len(numbers):
            return numbers[-1 - back]
        raise NotFound(f"{table} has {len(commits)} snapshots", fix=f"casparian output history {table}")
    if not (named.isascii() and named.isdecimal() and len(named) < 19):
        raise UsageError(
            f"{named!r} is not a snapshot",
            why="a snapshot is a number of the table's history, @last or @-1",
            fix=f"casparian output history {table}",
        )
    if int(named) not in numbers:
        near = sorted(numbers, key=lambda number: abs(number - int(named)))[:3]
        raise NotFound(
            f"{table} has no snapshot {named}",
            why="near it are " + ", ".join(map(str, sorted(near))),
            fix=f"casparian output history {table}",
        )
    return int(named)


def _refuse_counting_from_revert(commits: Sequence[TableCommit], table: str, named: str, to: int) -> None:
    """Raises UsageError where `@-1` would undo a revert: typed twice it would bring back what it took out."""
    newest = commits[-1] if commits else None
    if newest is None or newest.action is not EntryAction.REVERT or not named.startswith("@-") or to == newest.snapshot:
        return
    undo = f"casparian output revert {table} {to}"
    if newest.reverts_to is None:
        raise UsageError(
            f"the newest commit of {table} reverts a job, and {named} would be counted from it",
            why=f"{named} is snapshot {to}, which has the rows of that job",
            fix=f"{undo} if that is meant; casparian output history {table} has the others",
        )
    numbers = [BEFORE_ALL, *(commit.snapshot for commit in commits)]
    further = numbers.index(newest.reverts_to) - int(named[2:])
    fix = f"casparian output revert {table} {numbers[further]} to go further back, or " if further >= 0 else ""
    raise UsageError(
        f"the newest commit of {table} is a revert itself, and {named} would be counted from it",
        why=f"{table} is back at snapshot {newest.reverts_to}; {named} is snapshot {to}, from before that revert",
        fix=f"{fix}{undo} to undo it",
    )


def permit_reversal(connection: Connection, reversal: Reversal, actor: str, reason: str, now_ns: int) -> int:
    """Fix the entries' bytes, inside the caller's transaction; from here on the revert only rolls forward.

    The number of the snapshot that it makes.
    """
    for entry in reversal.entries:
        permitted = PermittedEntry(
            sink=reversal.sink, table=entry.table, role=entry.role, seq=entry.seq, body=entry_bytes(entry)
        )
        output_store.add_commit(connection, permitted, now_ns, job=None, attempt=None)
        store.note(connection, permitted, reversal.to, actor, reason)
    return max(commit.snapshot for commit in commits_of(connection, reversal.sink, reversal.table))


def record_reversal(connection: Connection, sink: str, table: str, commits: Sequence[int]) -> None:
    """Record that a revert's entries, the commits of these ids, are visible: what they undid, and what is back."""
    for commit in commits:
        connection.execute(output_store.RECORD_RETIREMENT, {"commit": commit})
    before, after = Replay(), Replay()
    for each in commits_of(connection, sink, table):
        after.apply(each)
        if each.snapshot < min(commits):
            before.apply(each)
        if each.snapshot in commits:
            break
    store.take_out(connection, sink, table, before.live_jobs() - after.live_jobs())
    store.bring_back(connection, sink, table, after.live_jobs() - before.live_jobs())
    store.set_undone(connection, sink, table, after.undone, max(commits))


def _entry(table: str, role: Role, now: TableState, then: TableState, history: Sequence[TableCommit]) -> Entry | None:
    """The entry after which a log shows what it showed `then`; None if it does so now."""
    wanted = {name: visible.live for name, visible in then.files.items()}
    shown = {name: visible.live for name, visible in now.files.items()}
    if wanted == shown:
        return None
    out = now.live_jobs() - then.live_jobs()
    left = {name: live - out for name, live in shown.items() if live - out}
    removed_files = [name for name in left if name not in wanted]
    again = [visible for name, visible in then.files.items() if left.get(name) != visible.live]
    added = [visible.file for visible in again]
    still_out = {job for visible in again for job in visible.superseded}
    back = {job for visible in again for job in visible.live}
    entries = [commit.entries[role] for commit in history if role in commit.entries]
    newest = next((entry for entry in reversed(entries) if entry.adds), None) if added else None
    jobs = {r.job: r for entry in entries for r in entry.jobs if r.job in back}
    return revert_entry(table, role, now, newest, added, out | still_out, removed_files, jobs.values())


def revert_entry(
    table: str,
    role: Role,
    now: TableState,
    newest: Entry | None,
    adds: Sequence[AddedFile],
    removed_jobs: Collection[int],
    removed_files: Collection[str],
    jobs: Iterable[JobRecord],
) -> Entry:
    """The next entry of a log, which undoes something; what comes back is under the contract of `newest`."""
    return Entry(
        table=table,
        role=role,
        seq=now.seq + 1,
        action=EntryAction.REVERT,
        contract_version=newest.contract_version if newest else 0,
        schema_hash=newest.schema_hash if newest else "",
        adds=tuple(adds),
        removed_jobs=tuple(sorted(removed_jobs)),
        removed_files=tuple(sorted(removed_files)),
        jobs=tuple(jobs),
    )


def _upto(commits: Sequence[TableCommit], snapshot: int) -> list[TableCommit]:
    return list(takewhile(lambda commit: commit.snapshot <= snapshot, commits))


def change_between(now: TableState, then: TableState) -> Change:
    """What goes and what comes, by job: a compaction moves rows to other files, and they are the same rows."""
    kept = (_rows_by_job(now) & _rows_by_job(then)).total()
    return Change(before=now.rows, after=then.rows, rows_out=now.rows - kept, rows_back=then.rows - kept)


def _rows_by_job(state: TableState) -> Counter[int]:
    found: Counter[int] = Counter()
    for visible in state.files.values():
        for job in visible.live:
            found[job] += visible.rows_of(job)
    return found
