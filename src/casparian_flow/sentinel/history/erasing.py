"""Erases what applied purges are about for good: in every file of their tables' history, and what the home says of it.

Tombstones say what is due. Each step can be broken off and done again: rows that share a file with others are written
anew by compaction's machinery, then every file that held erased rows goes. Log entries stay, and name what is gone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.core.proposals import Kind, label
from casparian_flow.core.tombstones import TombstoneAction
from casparian_flow.schema.notes import without_value
from casparian_flow.sentinel.commit.rolling import roll_forward
from casparian_flow.sentinel.history.compaction import begin, carry_out, give_up, permit_compaction, plan_compaction
from casparian_flow.sentinel.history.erased_drafts import part_with, settle
from casparian_flow.sentinel.history.erased_repairs import forget_repairs
from casparian_flow.sentinel.history.merging import Merge
from casparian_flow.sentinel.history.rejects_of_causes import rejects_of
from casparian_flow.sentinel.history.timeline import Replay, commits_of
from casparian_flow.sentinel.reports import forget_reports
from casparian_flow.settings import Home
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.database import DatabaseSink
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.layout import version_of
from casparian_flow.sinks.log import Entry, EntryAction, entry_bytes
from casparian_flow.sinks.rejects import Rejects
from casparian_flow.sinks.state import TableState, VisibleFile
from casparian_flow.store import causes, reversals, tombstones
from casparian_flow.store import outputs as output_store
from casparian_flow.store.database import Database
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.scrubbing import scrub
from casparian_flow.store.scrubbing_rejects import Erasure, scrub_rejects

OpenSink = Callable[[str], Sink]


@dataclass(slots=True)
class _Due:
    """What is to be erased of one table in one sink.

    Of the jobs in `whole` every row; of `earlier` every rejected one; of each of `trimmed` those of its causes, which
    are `rejects`, unless a broken attempt has put what is left of them into other files already: `is_written`.
    """

    stones: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The receipts of the tombstones, by their numbers."""
    whole: set[int] = field(default_factory=set)
    earlier: set[int] = field(default_factory=set)
    trimmed: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    rejects: list[Rejects] = field(default_factory=list)
    is_written: bool = True

    def gone(self, role: Role) -> set[int]:
        """The jobs of which no row stays."""
        return self.whole if role is Role.ACCEPTED else self.whole | self.earlier

    def touched(self, role: Role) -> set[int]:
        """The jobs of which rows go."""
        return self.whole if role is Role.ACCEPTED else self.whole | self.earlier | self.trimmed.keys()


@dataclass(slots=True)
class _Gone:
    """What of a table is no more: the files, and between which entries of each log one of them was shown."""

    files: dict[Role, set[str]] = field(default_factory=lambda: {role: set() for role in Role})
    seqs: dict[Role, tuple[int, int]] = field(default_factory=dict)


def erase_due(database: Database, home: Home, open_sink: OpenSink, clock: Callable[[], int], actor: str) -> int:
    """Erase all that is due; how many tables it was of.

    Raises what a sink raises that cannot be written, or HomeUnavailable; then the rest is due as before.
    """
    with database.transaction() as connection:
        stones = tombstones.due(connection)
    if not stones:
        return 0
    _settle(database, open_sink, clock)
    places = _places(stones)
    _find_rejects(database, open_sink, places)
    forget_repairs(database, open_sink, {at: due.rejects for at, due in places.items() if not due.is_written}, clock())
    gone = {
        (uri, table): _erase(database, open_sink, uri, table, due, clock, actor)
        for (uri, table), due in sorted(places.items())
    }
    _scrub(database, stones, clock())
    database.write_anew()
    forget_reports(home)
    with database.transaction() as connection:
        for (uri, table), due in places.items():
            what = gone[uri, table]
            seqs = {role.value: list(span) for role, span in what.seqs.items()}
            names = sorted(f"{role.value}/{name}" for role, files in what.files.items() for name in files)
            for stone, receipt in due.stones.items():
                said = {**receipt, "is_erased": True, "seqs": seqs, "erased_at_ns": str(clock())}
                tombstones.set_erased(connection, stone, names, said)
    return len(places)


def _places(stones: Iterable[AnyRow]) -> dict[tuple[str, str], _Due]:
    found: dict[tuple[str, str], _Due] = defaultdict(_Due)
    for stone in stones:
        due, receipt = found[stone.sink_uri, stone.table_name], json.loads(stone.receipt)
        due.stones[stone.id] = receipt
        if stone.action == TombstoneAction.PURGED:
            due.whole.update(receipt["jobs"])
            continue
        due.earlier.update(receipt["jobs"])
        for job, references in receipt["trimmed"].items():
            due.trimmed[int(job)].update(references)
        due.is_written &= receipt.get("is_written", False)
    return dict(found)


def _find_rejects(database: Database, open_sink: OpenSink, places: Mapping[tuple[str, str], _Due]) -> None:
    """Let each place know which of its rows are to go, where they are there yet."""
    for (uri, table), due in places.items():
        sink = open_sink(uri)
        if due.trimmed and not (due.is_written and isinstance(sink, FolderSink)):
            with database.transaction() as connection:
                parsers = causes.parsers_of(connection, due.trimmed)
            due.rejects = rejects_of(sink, table, due.trimmed, parsers)


def _erase(
    database: Database,
    open_sink: OpenSink,
    uri: str,
    table: str,
    due: _Due,
    clock: Callable[[], int],
    actor: str,
) -> _Gone:
    """Erase what is due of one table in one sink; what is gone then."""
    sink = open_sink(uri)
    if isinstance(sink, FolderSink):
        _write_anew(database, open_sink, sink, table, due, clock, actor)
    elif not due.is_written:
        with database.transaction() as connection:
            _mark(connection, uri, table, actor, clock())
            _set_written(connection, due)
        _settle(database, open_sink, clock)
    gone = _history(database, uri, table, due)
    if isinstance(sink, FolderSink):
        for role in Role:
            sink.erase(table, role, gone.files[role])
    elif isinstance(sink, DatabaseSink):
        sink.erase(table, {role: due.gone(role) for role in Role}, due.rejects)
    return gone


def _scrub(database: Database, stones: Sequence[AnyRow], now_ns: int) -> None:
    """Clear what the control database repeats of the rows."""
    with database.transaction() as connection:
        by_purge: dict[int, list[AnyRow]] = defaultdict(list)
        for stone in stones:
            by_purge[stone.proposal_id].append(stone)
        whole = {stone.source_hash for stone in stones if stone.action == TombstoneAction.PURGED}
        if whole:
            purges = sorted({stone.proposal_id for stone in stones if stone.action == TombstoneAction.PURGED})
            by = ", ".join(label(Kind.PURGE, number) for number in purges)
            scrub(connection, whole, without_value, by=by, now_ns=now_ns)
        for number, of_purge in sorted(by_purge.items()):
            parts = [stone for stone in of_purge if stone.action == TombstoneAction.TRIMMED]
            if not parts:
                continue
            receipts = [json.loads(stone.receipt) for stone in parts]
            erasure = Erasure(
                hashes=frozenset(stone.source_hash for stone in parts),
                tables=frozenset(stone.table_name for stone in parts),
                causes=frozenset(cause for receipt in receipts for its in receipt["trimmed"].values() for cause in its),
                trimmed=frozenset(int(job) for receipt in receipts for job in receipt["trimmed"]),
                earlier=frozenset(job for receipt in receipts for job in receipt["jobs"]),
                by=label(Kind.PURGE, number),
            )
            kept = part_with(connection, erasure, now_ns)
            scrub_rejects(connection, erasure, without_value)
            settle(connection, kept)


def _settle(database: Database, open_sink: OpenSink, clock: Callable[[], int]) -> None:
    """Bring the entries that take the rows out into their logs."""
    rolled = roll_forward(database, open_sink, clock(), jobs=False)
    for trouble in rolled.troubles.values():
        raise trouble


def _write_anew(
    database: Database,
    open_sink: OpenSink,
    sink: FolderSink,
    table: str,
    due: _Due,
    clock: Callable[[], int],
    actor: str,
) -> None:
    """Put what stays of files that hold rows which are to go into other files."""

    def shared(role: Role, state: TableState) -> list[Merge]:
        jobs = due.gone(role) if due.is_written else due.touched(role)
        return [
            Merge(role=role, version=version_of(name), files=(VisibleFile(visible.file, set(visible.live)),))
            for name, visible in state.files.items()
            if any(part.job in jobs for part in visible.file.jobs)
        ]

    with database.transaction() as connection:
        compaction = plan_compaction(connection, sink.uri, table, shared)
        if not compaction.merges:
            return
        begun = begin(connection, compaction)
    try:
        merged = carry_out(compaction, begun, sink, () if due.is_written else due.rejects)
        with database.transaction() as connection:
            permit_compaction(connection, compaction, begun, merged, actor, clock())
            _set_written(connection, due)
    finally:
        give_up(database, open_sink, begun)
    _settle(database, open_sink, clock)


def _set_written(connection: Connection, due: _Due) -> None:
    """What is left of the trimmed jobs is permitted: however often this is broken off, it is not written once more."""
    for stone, receipt in due.stones.items():
        if "trimmed" in receipt:
            receipt["is_written"] = True
            tombstones.set_receipt(connection, stone, receipt)
    due.is_written = True


def _mark(connection: Connection, uri: str, table: str, actor: str, now_ns: int) -> None:
    """An entry that changes nothing in the log of a database: before it there were rows that are erased now."""
    seq = output_store.next_seq(connection, uri, table, Role.QUARANTINE)
    entry = Entry(
        table=table, role=Role.QUARANTINE, seq=seq, action=EntryAction.RETIRE, contract_version=0, schema_hash=""
    )
    permitted = PermittedEntry(sink=uri, table=table, role=Role.QUARANTINE, seq=seq, body=entry_bytes(entry))
    output_store.add_commit(connection, permitted, now_ns, job=None, attempt=None)
    reversals.note(connection, permitted, None, actor, "")


def _history(database: Database, uri: str, table: str, due: _Due) -> _Gone:
    """Every file that ever held rows that go, none of which is shown any more."""
    gone = _Gone()
    past = Replay()
    first: dict[Role, int] = {}
    with database.transaction() as connection:
        for commit in commits_of(connection, uri, table):
            past.apply(commit)
            for role, entry in commit.entries.items():
                jobs = due.touched(role)
                held = {file.name for file in entry.adds if any(part.job in jobs for part in file.jobs)}
                if held:
                    first.setdefault(role, entry.seq)
                gone.files[role] |= held
    for role, state in past.states.items():  # files of both roles have the same names
        gone.files[role] -= state.files.keys()
    gone.seqs = {role: (seq, past.states[role].seq) for role, seq in first.items()}
    return gone
