"""Sources that look emptied: as a disk does that is not mounted, so what they lost counts only on a person's word."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from casparian_flow.core.files import EntryKind
from casparian_flow.core.tombstones import TombstoneAction, WhenMissing
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.notes import Note, noted, set_note
from casparian_flow.store.sources import mounts, set_mounts
from casparian_flow.store.tables import locations, materializations, sources, tombstones, versions

WHOLE = b"./"
ROOT_PATH: ColumnElement[bytes] = literal_column("x'2e2f'")
"""What stands for the folder of a source itself where it cannot be listed: `./`."""
_keeps = sources.c.when_missing == literal_column(f"'{WhenMissing.KEEP}'")
_left = locations.alias("files_left")
_root = locations.alias("unlisted_roots")
# Beside the files that ever brought rows there may be others, such as one that says that no disk is mounted here.
_SHOWING = select(sources.c.id).where(
    ~_keeps,
    exists(
        select(_left.c.id)
        .join(versions, versions.c.location_id == _left.c.id)
        .join(materializations, materializations.c.source_hash == versions.c.source_hash)
        .where(_left.c.source_id == sources.c.id, _left.c.is_missing.is_(False), materializations.c.table_name != "")
    ),
    ~exists(
        select(_root.c.id).where(
            _root.c.source_id == sources.c.id,
            _root.c.rel_path == ROOT_PATH,
            _root.c.is_missing.is_(False),
            _root.c.kind == literal_column(f"'{EntryKind.UNREADABLE}'"),
        )
    ),
)


def is_believed(location: FromClause) -> ColumnElement[bool]:
    """Whether a location that is missing is taken for gone: others of its source are there, or a person said so.

    The sources are found once for a statement, however many locations it is about.
    """
    word = cast(noted(Note.SOURCE_EMPTIED, location.c.source_id), Integer)
    is_said = func.coalesce(location.c.last_scan_id <= word, literal_column("0"))
    return or_(location.c.source_id.in_(_SHOWING), is_said)


_present = locations.alias("present_elsewhere")
_now = versions.alias("versions_elsewhere")
_successor = locations.alias("renamed_to")
_stone = tombstones.alias("purges")
HELD = (
    select(
        sources.c.id,
        noted(Note.SOURCE_NAME, sources.c.id).label("name"),
        sources.c.display,
        sources.c.when_missing,
        func.count().label("files"),
    )
    .select_from(
        locations.join(sources, sources.c.id == locations.c.source_id).join(
            versions, versions.c.id == locations.c.current_version_id
        )
    )
    .where(
        ~_keeps,
        noted(Note.SOURCE_REMOVED, sources.c.id).is_(None),
        locations.c.is_missing.is_(True),
        ~is_believed(locations),
        ~exists(
            select(_successor.c.id).where(
                _successor.c.renamed_from == locations.c.id, _successor.c.is_missing.is_(False)
            )
        ),
        ~exists(
            select(_present.c.id)
            .join(_now, _now.c.id == _present.c.current_version_id)
            .where(_now.c.source_hash == versions.c.source_hash, _present.c.is_missing.is_(False))
        ),
        exists(
            select(materializations.c.id).where(
                materializations.c.source_hash == versions.c.source_hash,
                materializations.c.table_name != "",
                or_(
                    materializations.c.is_current & ~materializations.c.is_pinned,
                    sources.c.when_missing == literal_column(f"'{WhenMissing.PURGE}'"),
                ),
                ~exists(
                    select(_stone.c.id).where(
                        _stone.c.source_hash == versions.c.source_hash,
                        _stone.c.action == literal_column(f"'{TombstoneAction.PURGED}'"),
                        _stone.c.at_ns > materializations.c.recorded_at_ns,
                    )
                ),
            )
        ),
    )
    .group_by(sources.c.id)
    .order_by(sources.c.id)
)
ANY_POLICY = select(sources.c.id).where(~_keeps).limit(1)
UNLISTED = select(locations.c.rel_path).where(
    locations.c.source_id == bindparam("source"),
    locations.c.kind == literal_column(f"'{EntryKind.UNREADABLE}'"),
    locations.c.is_missing.is_(False),
    func.substr(locations.c.rel_path, -1) == literal_column("x'2f'"),
)
LAST_LOSS = select(func.max(locations.c.last_scan_id)).where(
    locations.c.source_id == bindparam("source"), locations.c.is_missing.is_(True)
)


LEFT_BEHIND = (
    update(locations)
    .where(
        locations.c.source_id == bindparam("source"),
        locations.c.is_missing.is_(False),
        func.substr(locations.c.rel_path, 1, func.length(bindparam("folder"))) == bindparam("folder"),
    )
    .values(is_missing=True, part_of=None, growing_since_ns=None, settles_at_ns=None)
)


def disks_away(connection: Connection, source: int) -> list[bytes]:
    """The folders of a source at which a disk was mounted, and that could not be concluded about without it."""
    unlisted = connection.execute(UNLISTED, {"source": source}).scalars()
    noted_mounts = mounts(connection, source)
    return [folder for path in unlisted if (folder := b"" if path == WHOLE else path) in noted_mounts]


def say_emptied(connection: Connection, source: int, *, is_meant: bool) -> None:
    """That what a source lost until now is gone on purpose; or take that word back.

    What lay on disks that are away is gone with them: their folders are as any others. It holds for nothing that goes
    later: a disk that was mounted again may be away another time.
    """
    if is_meant and (away := disks_away(connection, source)):
        for folder in away:
            connection.execute(LEFT_BEHIND, {"source": source, "folder": folder})
        set_mounts(connection, source, mounts(connection, source) - set(away))
    last = connection.execute(LAST_LOSS, {"source": source}).scalar_one() if is_meant else None
    set_note(connection, Note.SOURCE_EMPTIED, source, None if last is None else str(last))


def held(connection: Connection) -> Sequence[AnyRow]:
    """The sources whose policy would act on files that are missing, were they believed to be gone."""
    # Most homes keep everything, and have nothing to look through.
    return connection.execute(HELD).all() if connection.execute(ANY_POLICY).first() is not None else []
