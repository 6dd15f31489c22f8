"""Sources and their scans."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, delete, insert, literal, select, update

from casparian_flow.core.errors import NotFound
from casparian_flow.core.files import EntryKind, display_path
from casparian_flow.core.ids import SourceId
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.store.meta import meta_value
from casparian_flow.store.notes import SOURCE_IN_USE, Note, noted, set_fact, set_note
from casparian_flow.store.tables import locations, scans, sources


@dataclass(frozen=True, slots=True)
class Source:
    """A folder that is scanned, or the one file of it that is meant."""

    id: SourceId
    root: bytes
    only: bytes
    display: str
    ignore: str


REMOVED = noted(Note.SOURCE_REMOVED, sources.c.id)
"""When a source was removed; it is no longer scanned, but its files still lead from their rows to their bytes."""
_SOURCES = select(sources.c.id, sources.c.root, sources.c.only, sources.c.display, sources.c.ignore).order_by(
    sources.c.id
)
ALL_SOURCES = _SOURCES.where(REMOVED.is_(None))
SOURCE_BY_ID = _SOURCES.where(sources.c.id == bindparam("source"))
SOURCE_BY_PATH = _SOURCES.where(sources.c.root == bindparam("root"), sources.c.only == bindparam("only"))
LEAVE_OUT = (
    update(locations)
    .where(locations.c.source_id == bindparam("source"), locations.c.is_missing.is_(False))
    .values(kind=literal(EntryKind.IGNORED.value), problem=bindparam("why"))
)
ADD_SOURCE = insert(sources)
SET_IGNORE_RULES = update(sources).where(sources.c.id == bindparam("source")).values(ignore=bindparam("rules"))
SET_WHEN_MISSING = update(sources).where(sources.c.id == bindparam("source")).values(when_missing=bindparam("policy"))
START_SCAN = insert(scans)
FORGET_SCAN = delete(scans).where(scans.c.id == bindparam("scan"))
FINISH_SCAN = (
    update(scans)
    .where(scans.c.id == bindparam("scan"))
    .values(finished_at_ns=bindparam("finished"), entries=bindparam("seen"), problems=bindparam("odd"))
)


def all_sources(connection: Connection) -> list[Source]:
    """Every source that was not removed, oldest first."""
    return [_source(row) for row in connection.execute(ALL_SOURCES)]


def source_by_id(connection: Connection, source: int) -> Source:
    """The source of that id; raises NotFound."""
    row = connection.execute(SOURCE_BY_ID, {"source": source}).one_or_none()
    if row is None:
        raise NotFound(f"there is no source {source}")
    return _source(row)


def source_by_path(connection: Connection, root: bytes, only: bytes = b"") -> Source | None:
    """The source of exactly that folder, or of that one file in it, also one that was removed."""
    row = connection.execute(SOURCE_BY_PATH, {"root": root, "only": only}).one_or_none()
    return _source(row) if row is not None else None


def add_source(connection: Connection, root: bytes, only: bytes, now_ns: int) -> Source:
    """Remember a folder, or one file in it."""
    display = display_path(root.rstrip(b"/") + b"/" + only if only else root)
    values = {"root": root, "only": only, "display": display, "ignore": "", "added_at_ns": now_ns}
    key = connection.execute(ADD_SOURCE, values).inserted_primary_key
    assert key is not None
    return Source(SourceId(key[0]), root, only, display, "")


def set_ignore_rules(connection: Connection, source: int, rules: str) -> None:
    """Replace the ignore rules of a source; they hold from its next scan."""
    connection.execute(SET_IGNORE_RULES, {"source": source, "rules": rules})


def set_when_missing(connection: Connection, source: int, policy: WhenMissing) -> None:
    """Choose what becomes of the rows of files that a source has no more; it holds from the end of the next run."""
    connection.execute(SET_WHEN_MISSING, {"source": source, "policy": policy})


def name_source(connection: Connection, source: int, name: str | None) -> None:
    """Call a source by a name."""
    set_note(connection, Note.SOURCE_NAME, source, name)


def remove_source(connection: Connection, source: int, why: str, now_ns: int) -> int:
    """Leave a source and its present files out from now on, saying why; how many files there were.

    Versions, jobs and rows stay, so lineage does too.
    """
    set_note(connection, Note.SOURCE_REMOVED, source, str(now_ns))
    set_note(connection, Note.SOURCE_NAME, source, None)
    if source_in_use(connection) == source:
        use_source(connection, None)
    return connection.execute(LEAVE_OUT, {"source": source, "why": why}).rowcount


def restore_source(connection: Connection, source: int) -> None:
    """Take a removed source back; its next scan finds its files again."""
    set_note(connection, Note.SOURCE_REMOVED, source, None)


def source_in_use(connection: Connection) -> SourceId | None:
    """The source that commands without a path are about; None: every one."""
    value = meta_value(connection, SOURCE_IN_USE)
    return None if value is None else SourceId(int(value))


def use_source(connection: Connection, source: int | None) -> None:
    """Choose the source that commands without a path are about."""
    set_fact(connection, SOURCE_IN_USE, None if source is None else str(source))


def mounts(connection: Connection, source: int) -> frozenset[bytes]:
    """The folders of a source at which a disk was mounted when it was last looked at, each with a slash."""
    value = meta_value(connection, f"{Note.SOURCE_MOUNTS}{source}")
    return frozenset(os.fsencode(each) for each in json.loads(value)) if value is not None else frozenset()


def set_mounts(connection: Connection, source: int, folders: Iterable[bytes]) -> None:
    """Remember these in place of those before."""
    value = json.dumps(sorted(os.fsdecode(folder) for folder in folders))
    set_note(connection, Note.SOURCE_MOUNTS, source, None if value == "[]" else value)


def start_scan(connection: Connection, source: int, now_ns: int) -> int:
    """The id of a new scan."""
    key = connection.execute(START_SCAN, {"source_id": source, "started_at_ns": now_ns}).inserted_primary_key
    assert key is not None
    return int(key[0])


def finish_scan(connection: Connection, scan: int, now_ns: int, *, entries: int, problems: int) -> None:
    """Record that a scan came to its end; one without an end was interrupted."""
    connection.execute(FINISH_SCAN, {"scan": scan, "finished": now_ns, "seen": entries, "odd": problems})


def forget_scan(connection: Connection, scan: int) -> None:
    """Take back a scan that changed no location, so that watching for long leaves no heap of them."""
    connection.execute(FORGET_SCAN, {"scan": scan})


def overlapping(known: Iterable[Source], root: bytes, only: bytes) -> list[Source]:
    """The sources that can hold a file of this one: folders around it or inside it, and single files of its folder."""
    path = _path(root, only)
    return [each for each in known if _share(_path(each.root, each.only), path, bool(each.only), bool(only))]


def _share(one: bytes, other: bytes, one_is_file: bool, other_is_file: bool) -> bool:
    return (not other_is_file and _is_within(one, other)) or (not one_is_file and _is_within(other, one))


def _path(root: bytes, only: bytes) -> bytes:
    return root.rstrip(b"/") + b"/" + only if only else root


def _is_within(path: bytes, folder: bytes) -> bool:
    return (path.rstrip(b"/") + b"/").startswith(folder.rstrip(b"/") + b"/")


def _source(row: Row[int, bytes, bytes, str, str]) -> Source:
    return Source(SourceId(row[0]), row[1], row[2], row[3], row[4])
