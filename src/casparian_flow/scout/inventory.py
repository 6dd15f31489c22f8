"""Turns a walk into changes of file locations."""

# Paths are bytes, which pathlib does not take.

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from casparian_flow.core.files import EntryKind, display_path
from casparian_flow.scout.chosen import EVERYTHING, Chosen
from casparian_flow.scout.entries import COMPANIONS, FILE, Entry, folder_entry
from casparian_flow.scout.ground import UNMOUNTED, Ground
from casparian_flow.scout.ignore import rules_of_source
from casparian_flow.scout.parts import entries_at, reachable
from casparian_flow.scout.walk import THREADS, WHOLE_SOURCE, Tree, walk
from casparian_flow.store import inventory as known_files
from casparian_flow.store import sources as stored
from casparian_flow.store.database import Database
from casparian_flow.store.inventory import Known
from casparian_flow.store.sources import finish_scan, forget_scan, source_by_id, start_scan

Report = Callable[[str, dict[str, object]], None]
"""Progress as it happens: an event name, `noun.verb` in the past, and its values."""

TRANSACTION = 10_000
"""Changes written at a time."""


@dataclass(slots=True)
class ScanReport:
    """What one scan saw and changed; `unreadable` names the folders below which nothing was concluded."""

    scan_id: int
    entries: int = 0
    problems: int = 0
    new: int = 0
    changed: int = 0
    missing: int = 0
    returned: int = 0
    renamed: int = 0
    seconds: float = 0.0
    unreadable: list[str] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Whether everything was as it was known."""
        return not (self.new or self.changed or self.missing or self.returned)


def ground_of(database: Database, source: int) -> Ground:
    """What a source stands on now; asked for before anything of it is looked at."""
    ground = Ground(source_by_id(database.connection, source).root, stored.mounts(database.connection, source))
    database.connection.rollback()
    return ground


def scan(
    database: Database,
    source_id: int,
    now_ns: int,
    report: Report,
    *,
    chosen: Chosen = EVERYTHING,
    threads: int = THREADS,
    parts: Iterable[bytes] | None = None,
    keeps_idle: bool = True,
    ground: Ground | None = None,
) -> ScanReport:
    """Bring the locations of a source up to date with its folder; what did not change is not written.

    A file is recorded as missing only where its folder was listed, or is gone from a folder that was, and only if the
    disk that it lay on was there all the while: else the folder of that disk is unreadable. `ground` says what was
    there before, if somebody looked before this. What `chosen` does not cover stays as it is known, whatever became of
    it. Changes become durable in steps, so an interrupted scan
    leaves a correct part of its work behind. With `parts` only these paths and what lies below them are looked at.
    A scan that changes nothing is not remembered unless `keeps_idle`.
    """
    began = time.perf_counter()
    source = source_by_id(database.connection, source_id)
    database.connection.rollback()
    ground = ground or ground_of(database, source_id)
    tree = Tree(
        root=source.root,
        only=source.only,
        ignore=rules_of_source(source.root, source.ignore),
        home=os.path.realpath(os.fsencode(database.path.parent)),
        ground=ground,
        depth=chosen.depth,
    )
    with database.transaction() as connection:
        result = ScanReport(start_scan(connection, source_id, now_ns))
    reached = None if parts is None or source.only else reachable(tree, parts)

    def compare(batches: Iterable[list[Entry]], known: Iterator[Known]) -> None:
        merge = _Merge(database, source_id, result, chosen, known, ground, is_whole=is_whole)
        for batch in batches:
            merge.take(batch)
            report("files.listed", {"source": source.display, "entries": result.entries})
        merge.end()
        away.update(merge.away)

    is_whole = reached is None and chosen.is_everything
    away: set[bytes] = set()
    if reached is None:
        compare(walk(tree, threads), _all_known(database, source_id))
    else:
        with database.together():
            for path in reached:
                compare(entries_at(tree, path), _known_at(database, source_id, path))
    with database.transaction() as connection:
        mounts = ground.mounts()
        if is_whole:  # where a disk was, and everything is there without it, the files have moved into the folder
            mounts -= ground.lost() - away
        if mounts != ground.known:
            stored.set_mounts(connection, source_id, mounts)
        if result.missing and result.new:
            result.renamed = known_files.find_renames(connection, source_id, result.scan_id)
        if result.is_idle and not keeps_idle:
            forget_scan(connection, result.scan_id)
        else:
            finish_scan(connection, result.scan_id, now_ns, entries=result.entries, problems=result.problems)
    result.seconds = time.perf_counter() - began
    return result


def _all_known(database: Database, source: int) -> Iterator[Known]:
    # A page is asked for when the merge has come to its end, so rows that this scan adds stand before it.
    after = b""
    while page := known_files.known_after(database.driver, source, after):
        yield from page
        after = page[-1][0]


def _known_at(database: Database, source: int, path: bytes) -> Iterator[Known]:
    """What is known at a path, then below it."""
    yield from known_files.known_within(database.driver, source, path, path + b"\0")
    first = path + b"/"
    while page := known_files.known_within(database.driver, source, first, path + b"0"):
        yield from page
        first = page[-1][0] + b"\0"


class _Merge:
    """The listed entries and the known locations, both ordered by path, taken side by side."""

    def __init__(
        self,
        database: Database,
        source: int,
        result: ScanReport,
        chosen: Chosen,
        known: Iterator[Known],
        ground: Ground,
        *,
        is_whole: bool,
    ) -> None:
        self.result = result
        self.away: set[bytes] = set()
        """The folders of disks that are away, and that were not found to have everything all the same."""
        self._ground = ground
        self._is_whole = is_whole
        self._mounts: dict[bytes, Known] = {}
        """What is known of folders at which a disk begins, other than that they were listed."""
        self._covers = None if chosen.is_everything else chosen.covers
        self._database = database
        self._source = source
        self._known = known
        self._next = next(self._known, None)
        self._folder: Entry | None = None
        self._new: list[Entry] = []
        self._changed: list[tuple[Entry, int]] = []
        self._gone: list[Known] = []
        self._ignored: list[tuple[int, str]] = []

    def take(self, batch: list[Entry]) -> None:
        """Compare the next entries; writes when enough has changed."""
        known, covers, seen = self._next, self._covers, 0
        for entry in batch:
            path = entry.rel_path
            while known is not None and known[0] < path:
                self._was_not_listed(known)
                known = next(self._known, None)
            is_covered = covers is None or covers(path, entry.size)
            if known is None or known[0] != path:
                if is_covered:
                    self._new.append(entry)
            else:
                if is_covered and (known[7] or known[:6] != entry[:6] or entry.kind != FILE):
                    self._compare(known, entry)
                known = next(self._known, None)
            if entry.kind != FILE:
                self._note(entry, is_covered=is_covered)
            seen += is_covered
        self._next = known
        self.result.entries += seen
        if len(self._new) + len(self._changed) + len(self._gone) + len(self._ignored) >= TRANSACTION:
            self._write(self._not_there())

    def end(self) -> None:
        """Conclude about what is known beyond the last entry."""
        while self._next is not None:
            self._was_not_listed(self._next)
            self._next = next(self._known, None)
        gone = self._not_there()
        for folder in sorted(self.away) if self._is_whole else ():
            entry = folder_entry(folder or WHOLE_SOURCE, EntryKind.UNREADABLE, UNMOUNTED)
            self._note(entry, is_covered=True)
            if (known := self._mounts.pop(entry.rel_path, None)) is None:
                self._new.append(entry)
            else:
                self._compare(known, entry)
        self._write([*gone, *(known for known in self._mounts.values() if not known[7])])

    def _note(self, entry: Entry, *, is_covered: bool) -> None:
        if entry.kind != EntryKind.IGNORED and is_covered:
            self.result.problems += 1
        if entry.rel_path.endswith(b"/"):
            self._folder = entry
            if entry.kind == EntryKind.UNREADABLE:
                self.result.unreadable.append(display_path(entry.rel_path))

    def _compare(self, known: Known, entry: Entry) -> None:
        if known[7]:
            self.result.returned += 1
        elif known[:6] != entry[:6]:
            self.result.changed += 1
        elif entry.kind == FILE or known[6] == entry.problem:
            return
        self._changed.append((entry, known[8]))

    def _was_not_listed(self, known: Known) -> None:
        path, is_missing, location = known[0], known[7], known[8]
        if self._covers is not None and not self._covers(path, known[2]):
            return
        folder = self._folder
        if folder is not None and (folder.rel_path == WHOLE_SOURCE or path.startswith(folder.rel_path)):
            if folder.kind == EntryKind.IGNORED and not is_missing and known[1] != EntryKind.IGNORED:
                self._ignored.append((location, folder.problem or ""))
            return
        if path == WHOLE_SOURCE or self._ground.under(path) == path:
            self._mounts[path] = known
        elif not is_missing:
            self._gone.append(known)

    def _not_there(self) -> list[Known]:
        """What was not found and is gone; what a disk that is away may hold stays as it is known."""
        missed, self._gone = self._gone, []
        lost = self._ground.lost() if missed else frozenset()
        if not lost:
            return missed
        gone = []
        for known in missed:
            if (folder := self._ground.under(known[0])) in lost:
                self.away.add(folder)
            else:
                gone.append(known)
        return gone

    def _write(self, gone: Sequence[Known]) -> None:
        scan, source = self.result.scan_id, self._source
        self.result.missing += len(gone)
        self.result.new += len(self._new)
        with self._database.transaction():
            driver = self._database.driver
            known_files.mark_missing(driver, scan, [(known[8], known[9]) for known in gone])
            known_files.mark_ignored(driver, scan, self._ignored)
            known_files.change_locations(driver, ((*entry[1:], scan, location) for entry, location in self._changed))
            known_files.add_locations(driver, ((*entry, display_path(entry[0]), source, scan) for entry in self._new))
            known_files.join_companions(driver, source, self._companions())
        self._new, self._changed, self._ignored = [], [], []

    def _companions(self) -> Iterator[tuple[bytes, bytes]]:
        for entry in self._new:
            if entry.rel_path.endswith(COMPANIONS) and entry.kind == FILE:
                yield entry.rel_path, entry.rel_path.rsplit(b"-", 1)[0]
        for entry, _ in self._changed:
            if entry.rel_path.endswith(COMPANIONS) and entry.kind == FILE:
                yield entry.rel_path, entry.rel_path.rsplit(b"-", 1)[0]
