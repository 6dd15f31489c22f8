"""Sources and their scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from casparian_flow.core.errors import NotFound
from casparian_flow.core.files import display_path
from casparian_flow.core.ids import SourceId
from casparian_flow.store.tables import scans, sources


@dataclass(frozen=True, slots=True)
class Source:
    """A folder that is scanned, or the one file of it that is meant."""

    id: SourceId
    root: bytes
    only: bytes
    display: str
    ignore: str


ALL_SOURCES = select(sources.c.id, sources.c.root, sources.c.only, sources.c.display, sources.c.ignore).order_by(
    sources.c.id
)
SOURCE_BY_ID = ALL_SOURCES.where(sources.c.id == bindparam("source"))
SOURCE_BY_PATH = ALL_SOURCES.where(sources.c.root == bindparam("root"), sources.c.only == bindparam("only"))
ADD_SOURCE = insert(sources)
SET_IGNORE_RULES = update(sources).where(sources.c.id == bindparam("source")).values(ignore=bindparam("rules"))
START_SCAN = insert(scans)
FINISH_SCAN = (
    update(scans)
    .where(scans.c.id == bindparam("scan"))
    .values(finished_at_ns=bindparam("finished"), entries=bindparam("seen"), problems=bindparam("odd"))
)


def all_sources(connection: Connection) -> list[Source]:
    """Every source, oldest first."""
    return [_source(row) for row in connection.execute(ALL_SOURCES)]


def source_by_id(connection: Connection, source: int) -> Source:
    """The source of that id; raises NotFound."""
    row = connection.execute(SOURCE_BY_ID, {"source": source}).one_or_none()
    if row is None:
        raise NotFound(f"there is no source {source}")
    return _source(row)


def source_by_path(connection: Connection, root: bytes, only: bytes = b"") -> Source | None:
    """The source of exactly that folder, or of that one file in it."""
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


def start_scan(connection: Connection, source: int, now_ns: int) -> int:
    """The id of a new scan."""
    key = connection.execute(START_SCAN, {"source_id": source, "started_at_ns": now_ns}).inserted_primary_key
    assert key is not None
    return int(key[0])


def finish_scan(connection: Connection, scan: int, now_ns: int, *, entries: int, problems: int) -> None:
    """Record that a scan came to its end; one without an end was interrupted."""
    connection.execute(FINISH_SCAN, {"scan": scan, "finished": now_ns, "seen": entries, "odd": problems})


def overlapping(known: Iterable[Source], root: bytes) -> list[Source]:
    """The sources that share folders with a root: those above it, below it and of it."""
    return [source for source in known if _is_within(root, source.root) or _is_within(source.root, root)]


def _is_within(path: bytes, folder: bytes) -> bool:
    return (path.rstrip(b"/") + b"/").startswith(folder.rstrip(b"/") + b"/")


def _source(row: Row[int, bytes, bytes, str, str]) -> Source:
    return Source(SourceId(row[0]), row[1], row[2], row[3], row[4])
