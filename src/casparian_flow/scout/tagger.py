"""Reads what changed: versions by hash, kinds of content, and tags."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from casparian_flow.core.errors import SourceChanged, SourceUnreadable
from casparian_flow.core.files import Stamp, display_path
from casparian_flow.core.tags import TagRule
from casparian_flow.scout.entries import COMPANIONS, name_problem_of
from casparian_flow.scout.ground import Ground
from casparian_flow.scout.hashing import Hashed, hash_file
from casparian_flow.scout.inventory import Report, ground_of
from casparian_flow.scout.rules import tags_of
from casparian_flow.scout.settle import Settle
from casparian_flow.scout.walk import WHOLE_SOURCE
from casparian_flow.store import settling
from casparian_flow.store import tags as stored_tags
from casparian_flow.store import versions as stored
from casparian_flow.store.database import Database
from casparian_flow.store.sources import source_by_id
from casparian_flow.store.versions import Dirty

THREADS = 4
PAGE = 2_000
GROUP = 50
"""Files that a thread reads for one answer, so that small files do not wait for each other."""
RACY_NS = 2_000_000_000
"""The coarsest clock of a common file system: a later change within it may leave the same signs."""
UNLISTED = "its folder cannot be listed"
AWAY = "its disk, or the folder of its source, is not the one that was listed"


class ContentKind(Protocol):
    """What the first bytes of a file show."""

    @property
    def kind(self) -> str:
        """The name of the kind."""

    @property
    def reason(self) -> str:
        """What in the bytes shows it."""


Sniff = Callable[[bytes, int], ContentKind]
"""The kind of content shown by a file's first 64 KiB and its size."""


@dataclass(slots=True)
class TagReport:
    """What one pass read and found; the paths of what must be looked at again, as text."""

    read: int = 0
    bytes_read: int = 0
    new_versions: int = 0
    unchanged: int = 0
    vanished: int = 0
    taken: list[int] = field(default_factory=list)
    """The locations that were read, where the look was not at the whole source."""
    changing: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Read:
    """One file read: what it gave, or why it gave nothing."""

    dirty: Dirty
    hashed: Hashed | None = None
    content: ContentKind | None = None
    unreadable: str = ""
    is_changing: bool = False

    @property
    def is_answered(self) -> bool:
        """Whether a file was there, whatever came of reading it."""
        return bool(self.hashed or self.unreadable or self.is_changing)

    @property
    def size(self) -> int:
        """The size of the file itself, as last seen."""
        return self.hashed.stamp.size if self.hashed else self.dirty[6]


def is_racy(stamp: Stamp, read_at_ns: int) -> bool:
    """Whether a file may still change without any of its signs changing; `read_at_ns` is before the reading."""
    return stamp.ctime_ns > read_at_ns - RACY_NS or abs(stamp.mtime_ns - read_at_ns) < RACY_NS


def tag(
    database: Database,
    source_id: int,
    now_ns: int,
    sniff: Sniff,
    report: Report,
    *,
    selection: Collection[int] | None = None,
    with_sha256: bool = False,
    threads: int = THREADS,
    settle: Settle | None = None,
    ground: Ground | None = None,
) -> TagReport:
    """Hash the source's dirty files (of `selection`, location ids, if given), add versions, apply tag rules.

    A version is added only if the bytes differ from the current version's. A file that changes meanwhile, cannot be
    read, or was changed less than two seconds before `now_ns` stays dirty and is read again by the next pass; no file
    keeps the others from being read. One that is not there is missing only if its folder is, and was listed, and its
    disk is the one that was there when `ground` was looked at, before the listing: else it cannot be read. Durable in
    steps. With `settle`, files that a watch lets wait are left alone until it is time.
    """
    source = source_by_id(database.connection, source_id)
    rules = stored_tags.all_rules(database.connection)
    database.connection.rollback()
    base = source.root.rstrip(b"/") + b"/"
    ground = ground or ground_of(database, source_id)
    result = TagReport()

    def read_group(group: list[Dirty]) -> list[_Read]:
        return [_read(base, dirty, sniff, with_sha256) for dirty in group]

    wanted = None if selection is None else frozenset(selection)
    with ThreadPoolExecutor(threads, thread_name_prefix="hash") as pool:
        while wanted is None or wanted:
            released: list[int] = []
            for page in _pages(database, source_id, wanted, settle):
                groups = [page[at : at + GROUP] for at in range(0, len(page), GROUP)]
                reads = [read for group in pool.map(read_group, groups) for read in group]
                with database.transaction():
                    reads = _unlisted_apart(database, source_id, reads, ground)
                    _record(database, reads, now_ns, result)
                    _record_failures(database, reads, result, settle)
                    released += _record_companions(database, source_id, reads)
                    _apply_rules(database, reads, rules)
                report("files.hashed", {"source": source.display, "files": result.read, "bytes": result.bytes_read})
            # What stood beside a file that is no database is a file of its own after all.
            wanted = frozenset(released)
    return result


def _pages(
    database: Database, source: int, wanted: frozenset[int] | None, settle: Settle | None
) -> Iterator[list[Dirty]]:
    after = 0
    until = stored.FOREVER_NS if settle is None else settle.began_ns
    only_held = settle is not None and settle.is_partial
    while page := stored.dirty_after(database.driver, source, after, PAGE, by_ns=until, only_held=only_held):
        after = page[-1][0]
        yield page if wanted is None else [dirty for dirty in page if dirty[0] in wanted]


def _read(base: bytes, dirty: Dirty, sniff: Sniff, with_sha256: bool) -> _Read:
    try:
        hashed = hash_file(base + dirty[1], with_sha256=with_sha256)
    except FileNotFoundError:
        # A disk that went away takes the folders with it: that says nothing about what is on it.
        return _Read(dirty, unreadable="" if Path(os.fsdecode(base + dirty[1])).parent.is_dir() else UNLISTED)
    except SourceChanged:
        return _Read(dirty, is_changing=True)
    except SourceUnreadable as exc:
        return _Read(dirty, unreadable=f"{exc.message}: {exc.why}")
    return _Read(dirty, hashed, sniff(hashed.head, hashed.size))


def _unlisted_apart(database: Database, source: int, reads: list[_Read], ground: Ground) -> list[_Read]:
    """The same, but what is not there of folders that were not listed, or of disks that are away, cannot be read."""
    if all(read.is_answered for read in reads):
        return reads
    folders = stored.unlisted(database.driver, source)
    below = tuple(b"" if folder == WHOLE_SOURCE else folder for folder in folders)
    lost = ground.lost()

    def why(path: bytes) -> str:
        return AWAY if ground.under(path) in lost else UNLISTED if path.startswith(below) else ""

    return [read if read.is_answered else replace(read, unreadable=why(read.dirty[1])) for read in reads]


def _record(database: Database, reads: list[_Read], now_ns: int, result: TagReport) -> None:
    driver = database.driver
    next_version = stored.last_version(driver) + 1
    new_versions: list[tuple[Any, ...]] = []
    settled: list[tuple[Any, ...]] = []
    for read in reads:
        location, rel_path, _, version, known_hash, renamed_from, _ = read.dirty
        if read.hashed is None or read.content is None:
            continue
        hashed, stamp = read.hashed, read.hashed.stamp
        result.read += 1
        result.bytes_read += hashed.size
        if hashed.source_hash == known_hash:
            result.unchanged += 1
        else:
            version = next_version + len(new_versions)
            new_versions.append(
                (
                    version,
                    location,
                    hashed.source_hash,
                    hashed.sha256,
                    hashed.size,
                    stamp.mtime_ns,
                    read.content.kind,
                    read.content.reason,
                    now_ns,
                )
            )
        if renamed_from is not None and known_hash is None:
            before = stored.hash_of_location(driver, renamed_from)
            renamed_from = renamed_from if before == hashed.source_hash else None
        settled.append(
            (
                stamp.size,
                stamp.mtime_ns,
                stamp.ctime_ns,
                stamp.inode,
                is_racy(stamp, now_ns),
                name_problem_of(rel_path),
                version,
                renamed_from,
                location,
            )
        )
    stored.add_versions(driver, new_versions)
    stored.set_versions(driver, settled)
    result.new_versions += len(new_versions)


def _record_companions(database: Database, source: int, reads: list[_Read]) -> list[int]:
    driver = database.driver
    read = [(read.dirty[0], read.dirty[1], read.hashed.is_database) for read in reads if read.hashed is not None]
    released = stored.release_companions(driver, [location for location, _, is_database in read if not is_database])
    stored.claim_companions(
        driver,
        [
            (source, rel_path + suffix, location)
            for location, rel_path, is_database in read
            if is_database
            for suffix in COMPANIONS
        ],
    )
    return released


def _record_failures(database: Database, reads: list[_Read], result: TagReport, settle: Settle | None) -> None:
    unreadable = [(read.dirty[0], read.unreadable) for read in reads if read.unreadable]
    # Its signs are the new ones, its version is the old one: nobody may parse it as that version.
    unreadable += [(read.dirty[0], "it changed while it was read") for read in reads if read.is_changing]
    vanished = [read.dirty[0] for read in reads if not read.is_answered]
    stored.set_problems(database.driver, unreadable)
    stored.set_vanished(database.driver, vanished)
    settling.release(database.driver, [location for location, _ in unreadable])
    if settle is not None and settle.is_partial:
        result.taken += [read.dirty[0] for read in reads]
    if settle is not None:
        changing = [read.dirty[0] for read in reads if read.is_changing]
        settling.hold_again(database.driver, changing, settle.began_ns + settle.settle_ns)
    result.vanished += len(vanished)
    result.changing += [display_path(read.dirty[1]) for read in reads if read.is_changing]
    result.unreadable += [(display_path(read.dirty[1]), read.unreadable) for read in reads if read.unreadable]


def _apply_rules(database: Database, reads: list[_Read], rules: list[TagRule]) -> None:
    rows = [
        (read.dirty[0], *given) for read in reads for given in tags_of(display_path(read.dirty[1]), rules, read.size)
    ]
    stored_tags.replace_rule_tags(database.driver, [read.dirty[0] for read in reads], rows)
