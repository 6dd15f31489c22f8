"""Undoes one job by one more commit in each table it changed: its rows go out, those that it took out come back.

What came after the job stays. Nothing is deleted, and the history stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound, SinkUnavailable, UsageError
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sentinel.history.reversal import Change, change_between, revert_entry
from casparian_flow.sentinel.history.timeline import Replay, TableCommit, commits_of
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, entry_bytes
from casparian_flow.sinks.state import TableState
from casparian_flow.store import outputs as output_store
from casparian_flow.store import reversals as store
from casparian_flow.store.tombstones import erased_files

FIRST = frozenset({EntryAction.APPEND, EntryAction.REPLACE})
"""The commits by which rows come for the first time; by others they come back, or into other files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReversal:
    """What undoing the job does to one table, worked out and not permitted."""

    sink: str
    table: str
    newest: int
    entries: Sequence[Entry]
    changes: Mapping[Role, Change]
    jobs_back: frozenset[int]


@dataclass(slots=True)
class _Past:
    """A table now, just before a commit, and where rows were when they first came."""

    now: Replay
    before: Replay
    came: TableCommit
    first: dict[Role, dict[int, list[AddedFile]]]
    records: dict[Role, dict[int, JobRecord]]
    newest: dict[Role, Entry]


def plan_job_reversal(connection: Connection, job: int) -> list[TableReversal]:
    """What it takes to undo a job in every table of every sink that shows rows of it.

    Raises NotFound if it committed nothing, UsageError if none of its rows are shown any more, or if it replaced a
    table together with others, and SinkUnavailable while a commit of such a table waits for its sink.
    """
    changed = store.tables_of_job(connection, job)
    if not changed:
        raise NotFound(f"job {job} committed nothing", fix=f"casparian jobs show {job}")
    pasts = {
        (row.sink_uri, row.table_name): _past(connection, row.sink_uri, row.table_name, row.job_id) for row in changed
    }
    showing = {sink for (sink, _table), past in pasts.items() if job in past.now.live_jobs()}
    if not showing:
        raise UsageError(
            f"no table shows rows of job {job}",
            why="it brought none, or they were superseded, retired or reverted since",
            fix=f"casparian jobs show {job}",
        )
    return [
        reversal
        for (sink, table), past in pasts.items()
        if sink in showing and (reversal := _table_reversal(connection, sink, table, past, job)).entries
    ]


def permit_job_reversal(
    connection: Connection, reversals: Sequence[TableReversal], actor: str, reason: str, now_ns: int
) -> list[int]:
    """Fix the bytes of all entries, inside the caller's transaction; from here on the revert only rolls forward.

    The numbers of the snapshots that it makes, in the order of the tables.
    """
    for reversal in reversals:
        for entry in reversal.entries:
            permitted = PermittedEntry(
                sink=reversal.sink, table=entry.table, role=entry.role, seq=entry.seq, body=entry_bytes(entry)
            )
            output_store.add_commit(connection, permitted, now_ns, job=None, attempt=None)
            store.note(connection, permitted, None, actor, reason)
    return [store.newest_commit(connection, each.sink, each.table) for each in reversals]


def _past(connection: Connection, sink: str, table: str, leader: int) -> _Past:
    """The table with the commit that was permitted in the name of that job.

    Rows of which a file was erased are where what stays of it was put.
    """
    now, before = Replay(), Replay()
    came: TableCommit | None = None
    first: dict[Role, dict[int, list[AddedFile]]] = {role: {} for role in Role}
    records: dict[Role, dict[int, JobRecord]] = {role: {} for role in Role}
    newest: dict[Role, Entry] = {}
    erased = erased_files(connection, sink, table)
    for commit in commits_of(connection, sink, table):
        if not commit.is_recorded:
            raise SinkUnavailable(
                f"commit {commit.snapshot} of {table} is permitted and not written yet",
                where=sink,
                fix="make the sink available, then repeat the command",
            )
        if commit.job == leader and commit.action in FIRST:
            came = commit
        if came is None:
            before.apply(commit)
        now.apply(commit)
        for role, entry in commit.entries.items():
            if entry.adds:
                newest[role] = entry
            records[role].update((each.job, each) for each in entry.jobs)
            for job, files in _files_by_job(entry).items():
                if commit.action in FIRST:
                    first[role].setdefault(job, files)
                elif any(file.name in erased[role] for file in first[role].get(job, ())):
                    left = [file for file in first[role][job] if file.name not in erased[role]]
                    first[role][job] = list({file.name: file for file in (*left, *files)}.values())
    assert came is not None  # the table was found by this commit
    return _Past(now=now, before=before, came=came, first=first, records=records, newest=newest)


def _files_by_job(entry: Entry) -> dict[int, list[AddedFile]]:
    found: dict[int, list[AddedFile]] = defaultdict(list)
    for file in entry.adds:
        for part in file.jobs:
            found[part.job].append(file)
    return found


def _table_reversal(connection: Connection, sink: str, table: str, past: _Past, job: int) -> TableReversal:
    out = past.now.live_jobs() & {job}
    back = _taken_out(connection, sink, table, past, job) - past.now.live_jobs()
    entries, changes = [], {}
    for role in Role:
        state = past.now.states[role]
        entry = _entry(table, role, past, out, back)
        then = TableState(state.seq, state.copy_of_files())
        if entry is not None:
            entries.append(entry)
            then.apply(entry)
        changes[role] = change_between(state, then)
    return TableReversal(
        sink=sink, table=table, newest=past.now.snapshot, entries=entries, changes=changes, jobs_back=back
    )


def _taken_out(connection: Connection, sink: str, table: str, past: _Past, job: int) -> frozenset[int]:
    """The jobs whose rows the commit of the job took out for its sake, and that nothing else stands for now.

    They had read the same bytes by the same parser, or older bytes of the same path.
    """
    came = past.came
    named = {each for entry in came.entries.values() for each in entry.removed_jobs}
    removed = past.before.live_jobs() & named
    if came.action is EntryAction.REPLACE:
        if came.jobs - {job}:
            raise UsageError(
                f"job {job} replaced {table} together with {len(came.jobs - {job})} others",
                why="what the table was before cannot be shared out among them",
                fix=f"casparian output revert {table} {past.before.snapshot}",
            )
        return removed
    [own, *_] = store.read_by(connection, sink, [job])
    earlier = store.earlier_bytes(connection, own.source_hash)
    found = {
        row.job_id: (row.source_hash, row.parser_name)
        for row in store.read_by(connection, sink, removed)
        if row.source_hash in earlier or (row.source_hash, row.parser_name) == (own.source_hash, own.parser_name)
    }
    shown = store.shown_bytes(connection, sink, {source_hash for source_hash, _parser in found.values()}, job)
    return frozenset(each for each, read in found.items() if read not in shown)


def _entry(table: str, role: Role, past: _Past, out: frozenset[int], back: frozenset[int]) -> Entry | None:
    """The entry after which a log shows the jobs that it shows now, without `out`, with `back`. None if it does so."""
    now, first = past.now.states[role], past.first[role]
    gone = now.live_jobs() & out
    wanted = (now.live_jobs() - out) | (back & first.keys())
    adds, left = _files_for(now, first, wanted)
    if not (gone or adds):
        return None
    strange = {part.job for file in adds for part in file.jobs} - wanted
    newest = past.newest.get(role) if adds else None
    again = {part.job for file in adds for part in file.jobs} & wanted
    jobs = [past.records[role][each] for each in sorted(again) if each in past.records[role]]
    return revert_entry(table, role, now, newest, adds, gone | strange, left, jobs)


def _files_for(
    now: TableState, first: Mapping[int, Sequence[AddedFile]], wanted: frozenset[int]
) -> tuple[list[AddedFile], set[str]]:
    """The files that have to come, and those that have to go, so that the jobs which are wanted are shown once each.

    A job comes back in the files in which it came first. Who was in them too and is in merged files now moves back
    with it, and so do those who are in those merged files.
    """
    adds: dict[str, AddedFile] = {}
    left: set[str] = set()
    moving = set(wanted - now.live_jobs())
    due = sorted(moving)
    while due:
        job = due.pop()
        own = {file.name for file in first[job]}
        others: set[int] = set()
        for file in first[job]:
            visible = now.files.get(file.name)
            shown = {part.job for part in file.jobs} & wanted
            if file.name not in adds and (visible is None or visible.live != shown):
                adds[file.name] = file
                others |= shown
        for name in now.holders_of(job) - own:
            left.add(name)
            others |= now.files[name].live & wanted
        due += sorted(others - moving)
        moving |= others
    return list(adds.values()), left - adds.keys()
