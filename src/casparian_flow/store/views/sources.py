"""Every source with what its last scan left: how many entries, of which kinds, and which of them are odd."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Integer, RowMapping, bindparam, case, cast, func, literal, select

from casparian_flow.core.files import EntryKind
from casparian_flow.store.notes import SOURCE_IN_USE, Note, noted
from casparian_flow.store.sources import REMOVED
from casparian_flow.store.tables import locations, materializations, meta, scans, sources, versions
from casparian_flow.store.views.places import FOLDER

_in_use = select(cast(meta.c.value, Integer)).where(meta.c.key == SOURCE_IN_USE).scalar_subquery()
NAME = noted(Note.SOURCE_NAME, sources.c.id)
SOURCES = (
    select(
        sources.c.id,
        NAME.label("name"),
        sources.c.display.label("root"),
        sources.c.ignore,
        sources.c.when_missing,
        select(func.count())
        .where(locations.c.source_id == sources.c.id, locations.c.is_missing.is_(False))
        .scalar_subquery()
        .label("entries"),
        select(func.max(scans.c.finished_at_ns))
        .where(scans.c.source_id == sources.c.id)
        .scalar_subquery()
        .label("scanned_at_ns"),
        (sources.c.id == func.coalesce(_in_use, 0)).label("is_in_use"),
    )
    .where(REMOVED.is_(None))
    .order_by(sources.c.id)
)
_present = (locations.c.source_id.in_(bindparam("sources", expanding=True)), locations.c.is_missing.is_(False))
_content = case(
    (locations.c.kind != EntryKind.FILE, locations.c.kind),
    (locations.c.part_of.is_not(None), literal("companion")),
    (versions.c.content.is_(None), literal("not read")),
    else_=versions.c.content,
).label("content")
CONTENT = (
    select(_content, func.count().label("files"))
    .select_from(locations.outerjoin(versions, versions.c.id == locations.c.current_version_id))
    .where(*_present)
    .group_by(_content)
    .order_by(func.count().desc(), _content)
)
ODD_ENTRIES = (
    select(
        FOLDER.label("source"),
        locations.c.display.label("path"),
        locations.c.rel_path,
        locations.c.kind,
        locations.c.problem,
    )
    .select_from(locations.join(sources, sources.c.id == locations.c.source_id))
    .where(*_present, locations.c.kind != EntryKind.IGNORED)
    .where((locations.c.problem.is_not(None)) | (locations.c.kind != EntryKind.FILE))
    .order_by(locations.c.source_id, locations.c.rel_path)
)
KNOWN_ROOT = select(sources.c.id).where(sources.c.display == bindparam("root"))
TABLES_OF_SOURCE = (
    select(materializations.c.table_name.label("table"), func.sum(materializations.c.accepted).label("rows"))
    .where(materializations.c.is_current, materializations.c.table_name != "")
    .where(
        materializations.c.source_hash.in_(
            select(versions.c.source_hash)
            .join(locations, locations.c.current_version_id == versions.c.id)
            .where(locations.c.source_id == bindparam("source"))
        )
    )
    .group_by(materializations.c.table_name)
    .order_by(materializations.c.table_name)
)


def list_sources(connection: Connection) -> Sequence[RowMapping]:
    """Every source that was not removed: its name, ignore rules, present entries and last finished scan."""
    return connection.execute(SOURCES).mappings().all()


def count_content(connection: Connection, sources: Sequence[int]) -> dict[str, int]:
    """The present entries of these sources by kind of content, most first; what is no file by its own kind."""
    return {row.content: row.files for row in connection.execute(CONTENT, {"sources": list(sources)})}


def odd_entries(connection: Connection, sources: Sequence[int]) -> Sequence[RowMapping]:
    """The present entries of these sources that are no ordinary files, or have a problem, by source and path."""
    return connection.execute(ODD_ENTRIES, {"sources": list(sources)}).mappings().all()


def tables_of_source(connection: Connection, source: int) -> dict[str, int]:
    """The current rows that came from the source's bytes, by table."""
    return {table: int(rows) for table, rows in connection.execute(TABLES_OF_SOURCE, {"source": source})}


def was_source(connection: Connection, root: str) -> bool:
    """Whether that is the whole path of a source, also of one that was removed."""
    return connection.execute(KNOWN_ROOT, {"root": root}).first() is not None
