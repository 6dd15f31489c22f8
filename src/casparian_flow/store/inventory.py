"""The bulk statements of a scan: what is known of a source in order, and the changes to it.

They run on the driver's connection inside a transaction of `Database`; rows that did not change are never written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    and_,
    bindparam,
    case,
    false,
    insert,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
    update,
)

from casparian_flow.store.bulk import Bulk, insert_all
from casparian_flow.store.tables import locations

L = locations.c
PAGE = 10_000

KNOWN_AFTER = Bulk(
    select(L.rel_path, L.kind, L.size, L.mtime_ns, L.ctime_ns, L.inode, L.problem, L.is_missing, L.id, L.part_of)
    .where(L.source_id == bindparam("source"), L.rel_path > bindparam("after"))
    .order_by(L.rel_path)
    .limit(bindparam("page", type_=Integer)),
    "source",
    "after",
    "page",
)
"""One page of what is known, in the order of paths."""

KNOWN_WITHIN = Bulk(
    select(L.rel_path, L.kind, L.size, L.mtime_ns, L.ctime_ns, L.inode, L.problem, L.is_missing, L.id, L.part_of)
    .where(L.source_id == bindparam("source"), L.rel_path >= bindparam("first"), L.rel_path < bindparam("end"))
    .order_by(L.rel_path)
    .limit(bindparam("page", type_=Integer)),
    "source",
    "first",
    "end",
    "page",
)
"""The same for the paths from `first` up to, but not, `end`."""

_STAMP = ("kind", "size", "mtime_ns", "ctime_ns", "inode", "problem")
_IS_FILE = bindparam("kind") == literal_column("'file'")

ADD_LOCATIONS = Bulk(
    insert(locations).values(
        **{name: bindparam(name) for name in ("rel_path", *_STAMP, "display", "source_id", "last_scan_id")},
        is_dirty=_IS_FILE,
        is_missing=false(),
    ),
    "rel_path",
    *_STAMP,
    "display",
    "source_id",
    "last_scan_id",
)
CHANGE_LOCATIONS = Bulk(
    update(locations)
    .where(L.id == bindparam("location"))
    .values(
        **{name: bindparam(name) for name in _STAMP},
        is_missing=false(),
        is_dirty=and_(
            _IS_FILE,
            or_(
                L.is_dirty.is_(True),
                L.kind.is_not(bindparam("kind")),
                L.size.is_not(bindparam("size")),
                L.mtime_ns.is_not(bindparam("mtime_ns")),
                L.ctime_ns.is_not(bindparam("ctime_ns")),
                L.inode.is_not(bindparam("inode")),
            ),
        ),
        part_of=case((_IS_FILE, L.part_of), else_=null()),
        last_scan_id=bindparam("scan"),
    ),
    *_STAMP,
    "scan",
    "location",
)
"""Other signs than before make a file dirty; that one which was missing is back with the same signs does not."""

MARK_MISSING = Bulk(
    update(locations)
    .where(L.id == bindparam("location"))
    .values(
        is_missing=true(), part_of=null(), growing_since_ns=null(), settles_at_ns=null(), last_scan_id=bindparam("scan")
    ),
    "scan",
    "location",
)
MARK_IGNORED = Bulk(
    update(locations)
    .where(L.id == bindparam("location"))
    .values(kind=literal_column("'ignored'"), problem=bindparam("problem"), last_scan_id=bindparam("scan")),
    "problem",
    "scan",
    "location",
)
MARK_DIRTY = Bulk(
    update(locations).where(L.id == bindparam("location"), not_(L.is_dirty)).values(is_dirty=true()), "location"
)
RELEASE_COMPANIONS = Bulk(
    update(locations).where(L.part_of == bindparam("location")).values(part_of=null(), is_dirty=true()), "location"
)
"""What stood beside a database that is gone is a file of its own."""

_main = locations.alias("main")
_main_id = (
    select(_main.c.id)
    .where(
        _main.c.source_id == bindparam("source"),
        _main.c.rel_path == bindparam("main_path"),
        _main.c.kind == literal_column("'file'"),
        _main.c.is_missing.is_(False),
    )
    .scalar_subquery()
)
JOIN_COMPANIONS = Bulk(
    update(locations)
    .where(L.source_id == bindparam("source"), L.rel_path == bindparam("rel_path"))
    .where(L.kind == literal_column("'file'"))
    .values(part_of=_main_id),
    "source",
    "rel_path",
    "main_path",
)
DIRTY_MAINS = Bulk(
    update(locations)
    .where(L.source_id == bindparam("source"), L.rel_path == bindparam("main_path"), not_(L.is_dirty))
    .where(L.kind == literal_column("'file'"))
    .values(is_dirty=true()),
    "source",
    "main_path",
)
"""A database whose companion changed has changed."""

_gone = locations.alias("gone")
RENAMED = (
    select(L.id, _gone.c.id)
    .join_from(locations, _gone, and_(_gone.c.source_id == L.source_id, _gone.c.inode == L.inode))
    .where(L.source_id == bindparam("source"), L.is_dirty.is_(True), L.last_scan_id == bindparam("scan"))
    .where(L.is_missing.is_(False), L.kind == literal_column("'file'"), L.current_version_id.is_(None))
    .where(_gone.c.is_missing.is_(True), _gone.c.last_scan_id == bindparam("scan"))
    .where(_gone.c.kind == literal_column("'file'"), _gone.c.current_version_id.is_not(None))
    .where(_gone.c.size == L.size, _gone.c.mtime_ns == L.mtime_ns, L.inode != literal_column("0"))
    .order_by(L.id, _gone.c.id)
)
"""New paths that have the inode, size and time of a path that went missing in the same scan."""
SET_RENAMED_FROM = Bulk(
    update(locations).where(L.id == bindparam("location")).values(renamed_from=bindparam("before")),
    "location",
    "before",
)

Known = tuple[bytes, str, int, int, int, int, str | None, int, int, int | None]
"""rel_path, kind, size, mtime_ns, ctime_ns, inode, problem, is_missing, id, part_of"""


def known_after(driver: sqlite3.Connection, source: int, after: bytes) -> list[Known]:
    """The next page of known locations."""
    return driver.execute(KNOWN_AFTER.text, (source, after, PAGE)).fetchall()


def known_within(driver: sqlite3.Connection, source: int, first: bytes, end: bytes) -> list[Known]:
    """The next page of known locations from `first` up to, but not, `end`."""
    return driver.execute(KNOWN_WITHIN.text, (source, first, end, PAGE)).fetchall()


def add_locations(driver: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Rows of rel_path, kind, size, mtime_ns, ctime_ns, inode, problem, display, source, scan."""
    insert_all(driver, ADD_LOCATIONS.text, rows)


def change_locations(driver: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Rows of kind, size, mtime_ns, ctime_ns, inode, problem, scan, location."""
    driver.executemany(CHANGE_LOCATIONS.text, rows)


def mark_missing(driver: sqlite3.Connection, scan: int, gone: Sequence[tuple[int, int | None]]) -> None:
    """Locations that are gone, each with the database that it was a companion of."""
    driver.executemany(MARK_MISSING.text, [(scan, location) for location, _ in gone])
    driver.executemany(RELEASE_COMPANIONS.text, [(location,) for location, _ in gone])
    driver.executemany(MARK_DIRTY.text, [(main,) for _, main in gone if main is not None])


def mark_ignored(driver: sqlite3.Connection, scan: int, ignored: Iterable[tuple[int, str]]) -> None:
    """Locations below a folder that is now left out, each with the reason."""
    driver.executemany(MARK_IGNORED.text, [(problem, scan, location) for location, problem in ignored])


def join_companions(driver: sqlite3.Connection, source: int, companions: Iterable[tuple[bytes, bytes]]) -> None:
    """Pairs of a changed companion's path and its database's path, where that is a file."""
    pairs = list(companions)
    driver.executemany(JOIN_COMPANIONS.text, [(source, *pair) for pair in pairs])
    driver.executemany(DIRTY_MAINS.text, [(source, main) for _, main in pairs])


def find_renames(connection: Connection, source: int, scan: int) -> int:
    """Write down what looks renamed, to be confirmed by its hash; how many."""
    before: dict[int, int] = {}
    taken: set[int] = set()
    for location, gone in connection.execute(RENAMED, {"source": source, "scan": scan}):
        if location not in before and gone not in taken:
            before[location] = gone
            taken.add(gone)
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.executemany(SET_RENAMED_FROM.text, before.items())
    return len(before)
