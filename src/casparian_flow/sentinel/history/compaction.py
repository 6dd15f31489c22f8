"""Merges the small files of one table by one more commit: every snapshot, also the newest, shows what it showed.

Who rewrites holds neither the database nor a lock: what happens to the table meanwhile is taken in by the permit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.errors import CasparianError, TableBusy, UsageError
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sentinel.history.merging import Merge, Merged, entry_for, merges_of
from casparian_flow.sentinel.history.timeline import Replay, commits_of, commits_since
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.layout import version_of
from casparian_flow.sinks.log import AddedFile, entry_bytes
from casparian_flow.sinks.rejects import Rejects
from casparian_flow.sinks.state import TableState
from casparian_flow.store import outputs as output_store
from casparian_flow.store import reversals, rewrites
from casparian_flow.store.database import Database
from casparian_flow.store.rewrites import OpenRewrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What is to be merged of a table that was seen at `past`."""

    sink: str
    table: str
    past: Replay
    merges: Sequence[Merge]
    schema_hashes: Mapping[Role, Mapping[int, str]]

    def schema_hash(self, merge: Merge) -> str:
        """That of the rows of the merge."""
        return self.schema_hashes[merge.role][merge.version]


def plan_compaction(
    connection: Connection, sink: str, table: str, choose: Callable[[Role, TableState], list[Merge]] = merges_of
) -> Compaction:
    """What is worth merging now, or what else is chosen to be written anew."""
    past = Replay()
    hashes: dict[Role, dict[int, str]] = {role: {} for role in Role}
    for commit in commits_of(connection, sink, table):
        past.apply(commit)
        for role, entry in commit.entries.items():
            for version in {version_of(file.name) for file in entry.adds}:
                if version == entry.contract_version or version not in hashes[role]:
                    hashes[role][version] = entry.schema_hash
    merges = [merge for role in Role for merge in choose(role, past.states[role])]
    return Compaction(sink=sink, table=table, past=past, merges=merges, schema_hashes=hashes)


def file_sink(sink: Sink, table: str) -> FolderSink:
    """The sink, if it keeps rows in files; raises UsageError for a database."""
    if not isinstance(sink, FolderSink):
        raise UsageError(
            f"{table} needs no compaction in {sink.uri}",
            why="a database keeps rows in its one file, whatever the number of commits",
        )
    return sink


def begin(connection: Connection, compaction: Compaction) -> OpenRewrite:
    """Take the table for this compaction alone, until it is permitted or given up; raises TableBusy."""
    for each in rewrites.open_rewrites(connection):
        if (each.sink, each.table) == (compaction.sink, compaction.table):
            raise TableBusy(f"the files of {each.table} are being merged already", where=each.sink)
    return rewrites.begin(connection, compaction.sink, compaction.table, len(compaction.merges))


def carry_out(
    compaction: Compaction, begun: OpenRewrite, sink: FolderSink, dropped: Sequence[Rejects] = ()
) -> list[Merged]:
    """Write the new files, which nobody sees; rejected rows that are in `dropped` are not in them.

    Raises VerificationFailed for an old one that is not as it should be.
    """
    return [
        Merged(merge=merge, files=_rewritten(compaction, number, merge, sink, dropped))
        for number, merge in zip(begun.numbers, compaction.merges, strict=True)
    ]


def permit_compaction(
    connection: Connection,
    compaction: Compaction,
    begun: OpenRewrite,
    merged: Sequence[Merged],
    actor: str,
    now_ns: int,
) -> int | None:
    """The commit point, inside the caller's transaction: from here on the compaction only rolls forward.

    The number of the snapshot that it makes, at which `compaction.past` then is; None, with nothing permitted, if none
    of the rows count any more. Raises PlanStale if the table moved in a way that needs a new plan.
    """
    sink, table, past = compaction.sink, compaction.table, compaction.past
    for commit in commits_since(connection, sink, table, past.snapshot):
        past.apply(commit)
    entries = []
    for role in Role:
        own = [each for each in merged if each.merge.role is role]
        entry = entry_for(table, role, past.states[role], own, compaction.schema_hashes[role])
        if entry is not None:
            entries.append(entry)
    if not entries:
        return None
    for entry in entries:
        permitted = PermittedEntry(sink=sink, table=table, role=entry.role, seq=entry.seq, body=entry_bytes(entry))
        output_store.add_commit(connection, permitted, now_ns, job=None, attempt=None)
        reversals.note(connection, permitted, None, actor, "")
        past.states[entry.role].apply(entry)
    rewrites.end(connection, begun)
    past.snapshot = reversals.newest_commit(connection, sink, table)
    return past.snapshot


def give_up(database: Database, open_sink: Callable[[str], Sink], begun: OpenRewrite) -> None:
    """Remove what was written and is not permitted; nothing happens if it is, or is gone already."""
    with database.transaction() as connection:
        if begun not in rewrites.open_rewrites(connection):
            return
    sink = open_sink(begun.sink)
    if isinstance(sink, FolderSink):
        sink.discard_rewritten(begun.table, begun.numbers)
    with database.transaction() as connection:
        rewrites.end(connection, begun)


def give_up_all(database: Database, open_sink: Callable[[str], Sink]) -> dict[str, CasparianError]:
    """At a start, do so for all that a crash broke off; the sinks that have to wait for the next start, and why."""
    with database.transaction() as connection:
        broken_off = rewrites.open_rewrites(connection)
    troubles: dict[str, CasparianError] = {}
    for each in broken_off:
        try:
            give_up(database, open_sink, each)
        except CasparianError as exc:
            troubles[each.sink] = exc
    return troubles


def _rewritten(
    compaction: Compaction, number: int, merge: Merge, sink: FolderSink, dropped: Sequence[Rejects]
) -> tuple[AddedFile, ...]:
    schema_hash = compaction.schema_hash(merge)
    of_role = dropped if merge.role is Role.QUARANTINE else ()
    return sink.rewrite(number, compaction.table, merge.role, merge.files, schema_hash, of_role)
