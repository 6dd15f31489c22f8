"""The bulk statements of hashing: what is dirty, and what was found in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Integer, bindparam, func, literal_column, null, select, true, update
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.core.files import EntryKind
from casparian_flow.store.bulk import Bulk, insert_all
from casparian_flow.store.inventory import MARK_DIRTY
from casparian_flow.store.tables import hashes, locations, versions

L = locations.c
V = versions.c

DIRTY_AFTER = Bulk(
    select(L.id, L.rel_path, L.problem, L.current_version_id, V.source_hash, L.renamed_from, L.size)
    .select_from(locations.outerjoin(versions, V.id == L.current_version_id))
    .where(L.source_id == bindparam("source"), L.id > bindparam("after"), L.is_dirty.is_(True))
    .where(L.kind == literal_column("'file'"), L.is_missing.is_(False), L.part_of.is_(None))
    .where(func.coalesce(L.settles_at_ns, bindparam("otherwise")) <= bindparam("by"))
    .order_by(L.id)
    .limit(bindparam("page", type_=Integer)),
    "source",
    "after",
    "page",
    "by",
    "otherwise",
)
"""Of those that a watch lets wait only the ones that wait until `by`; the others count as waiting until `otherwise`."""
READABLE_AFTER = Bulk(
    select(L.id, L.rel_path, L.size, L.is_dirty)
    .where(L.source_id == bindparam("source"), L.id > bindparam("after"))
    .where(L.kind == literal_column("'file'"), L.is_missing.is_(False), L.part_of.is_(None))
    .order_by(L.id)
    .limit(bindparam("page", type_=Integer)),
    "source",
    "after",
    "page",
)
"""One page of what can be read, whether it changed or not."""
LAST_VERSION = Bulk(select(func.coalesce(func.max(V.id), literal_column("0"))))
ADD_HASHES = Bulk(
    insert(hashes)
    .values(source_hash=bindparam("hash"), size=bindparam("bytes"), first_seen_at_ns=bindparam("now"))
    .on_conflict_do_nothing(),
    "hash",
    "bytes",
    "now",
)
_VERSION = (
    "id",
    "location_id",
    "source_hash",
    "sha256",
    "size",
    "mtime_ns",
    "content",
    "content_reason",
    "detected_at_ns",
)
ADD_VERSIONS = Bulk(insert(versions).values({name: bindparam(name) for name in _VERSION}), *_VERSION)
SET_VERSION = Bulk(
    update(locations)
    .where(L.id == bindparam("location"))
    .values(
        size=bindparam("size"),
        mtime_ns=bindparam("mtime_ns"),
        ctime_ns=bindparam("ctime_ns"),
        inode=bindparam("inode"),
        is_dirty=bindparam("is_dirty"),
        problem=bindparam("problem"),
        current_version_id=bindparam("version"),
        renamed_from=bindparam("renamed_from"),
        growing_since_ns=null(),
        settles_at_ns=null(),
    ),
    "size",
    "mtime_ns",
    "ctime_ns",
    "inode",
    "is_dirty",
    "problem",
    "version",
    "renamed_from",
    "location",
)
SET_PROBLEM = Bulk(
    update(locations)
    .where(L.id == bindparam("location"), L.problem.is_distinct_from(bindparam("problem")))
    .values(problem=bindparam("problem")),
    "location",
    "problem",
)
SET_VANISHED = Bulk(
    update(locations).where(L.id == bindparam("location")).values(is_missing=true()),
    "location",
)
UNLISTED = Bulk(
    select(L.rel_path).where(
        L.source_id == bindparam("source"),
        L.kind == literal_column(f"'{EntryKind.UNREADABLE}'"),
        L.is_missing.is_(False),
        func.substr(L.rel_path, -1) == literal_column("x'2f'"),
    ),
    "source",
)
RELEASE_COMPANIONS = Bulk(
    update(locations).where(L.part_of == bindparam("location")).values(part_of=null(), is_dirty=true()).returning(L.id),
    "location",
)
CLAIM_COMPANIONS = Bulk(
    update(locations)
    .where(L.source_id == bindparam("source"), L.rel_path == bindparam("path"))
    .where(L.kind == literal_column("'file'"), L.part_of.is_(None), L.id != bindparam("location"))
    .values(part_of=bindparam("location")),
    "source",
    "path",
    "location",
)
HASH_OF_LOCATION = Bulk(
    select(V.source_hash)
    .select_from(locations.join(versions, V.id == L.current_version_id))
    .where(L.id == bindparam("location")),
    "location",
)

Dirty = tuple[int, bytes, str | None, int | None, str | None, int | None, int]
"""id, rel_path, problem, current version, its hash, renamed_from, size"""

Readable = tuple[int, bytes, int, int]
"""id, rel_path, size, is_dirty"""


FOREVER_NS = (1 << 63) - 1


def dirty_after(
    driver: sqlite3.Connection, source: int, after: int, page: int, *, by_ns: int = FOREVER_NS, only_held: bool = False
) -> list[Dirty]:
    """The next page of files whose bytes must be looked at, by id.

    Files that a watch lets wait are among them if they wait until `by_ns` or less; with `only_held` no others are.
    """
    otherwise = FOREVER_NS if only_held else 0
    return driver.execute(DIRTY_AFTER.text, (source, after, page, by_ns, otherwise)).fetchall()


def readable_after(driver: sqlite3.Connection, source: int, after: int, page: int) -> list[Readable]:
    """The next page of files that can be read, by id."""
    return driver.execute(READABLE_AFTER.text, (source, after, page)).fetchall()


def mark_dirty(driver: sqlite3.Connection, locations: Iterable[int]) -> None:
    """Have these files read again, whatever their signs say."""
    driver.executemany(MARK_DIRTY.text, [(location,) for location in locations])


def last_version(driver: sqlite3.Connection) -> int:
    """The highest version id given so far; stable inside a transaction, as there is one writer."""
    return int(driver.execute(LAST_VERSION.text).fetchone()[0])


def hash_of_location(driver: sqlite3.Connection, location: int) -> str | None:
    """The hash of a location's current version."""
    row = driver.execute(HASH_OF_LOCATION.text, (location,)).fetchone()
    return str(row[0]) if row else None


def add_versions(driver: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of id, location, source_hash, sha256, size, mtime_ns, content, content_reason, detected_at_ns."""
    driver.executemany(ADD_HASHES.text, [(row[2], row[4], row[8]) for row in rows])
    insert_all(driver, ADD_VERSIONS.text, rows)


def set_versions(driver: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of size, mtime_ns, ctime_ns, inode, is_dirty, problem, version, renamed_from, location."""
    driver.executemany(SET_VERSION.text, rows)


def set_problems(driver: sqlite3.Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Files that cannot be read, each with the reason; they stay dirty."""
    driver.executemany(SET_PROBLEM.text, rows)


def set_vanished(driver: sqlite3.Connection, locations: Iterable[int]) -> None:
    """Files that were listed and are gone."""
    gone = list(locations)
    driver.executemany(SET_VANISHED.text, [(location,) for location in gone])
    release_companions(driver, gone)


def unlisted(driver: sqlite3.Connection, source: int) -> list[bytes]:
    """The folders of a source that its newest scan could not list, each with a slash; `./` is the source itself."""
    return [row[0] for row in driver.execute(UNLISTED.text, (source,))]


def release_companions(driver: sqlite3.Connection, locations: Iterable[int]) -> list[int]:
    """These files are no databases, so nothing is part of them; the locations that were."""
    return [row[0] for location in locations for row in driver.execute(RELEASE_COMPANIONS.text, (location,)).fetchall()]


def claim_companions(driver: sqlite3.Connection, rows: Iterable[tuple[int, bytes, int]]) -> None:
    """Rows of source, companion's path, database's location."""
    driver.executemany(CLAIM_COMPANIONS.text, rows)
