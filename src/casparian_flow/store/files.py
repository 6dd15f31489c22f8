"""What is known of files, for everybody who asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, literal_column, or_, select

from casparian_flow.core.ids import LocationId, SourceId, VersionId
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.store.emptied import is_believed
from casparian_flow.store.tables import locations, sources, versions

AT_ONCE = 500
"""Locations asked for in one statement."""
L = locations.c
V = versions.c
_is_retired = and_(
    L.is_missing, sources.c.when_missing == literal_column(f"'{WhenMissing.RETIRE}'"), is_believed(locations)
)


class FileRow(NamedTuple):
    """A location with its newest version; a tuple, since plans read a million of them.

    It can be parsed when `kind` is `file`, it has a version, is not missing and not `part_of` another. `version_id` is
    None until the bytes have been read once. For a file `problem` is a remark on its name, or why its last reading
    failed; for every other kind it is why the entry is no ordinary file.
    """

    location_id: LocationId
    source_id: SourceId
    root: bytes
    rel_path: bytes
    display: str
    kind: str
    problem: str | None
    size: int
    mtime_ns: int
    is_dirty: bool
    is_missing: bool
    part_of: LocationId | None
    version_id: VersionId | None
    source_hash: str | None
    content: str | None
    content_reason: str | None
    settles_at_ns: int | None
    is_retired: bool
    """Whether it is gone, and its rows go out with it."""

    @property
    def path(self) -> bytes:
        """Where the bytes lie."""
        return self.root.rstrip(b"/") + b"/" + self.rel_path


class VersionRow(NamedTuple):
    """One version of a location, immutable."""

    version_id: VersionId
    location_id: LocationId
    source_hash: str
    sha256: str | None
    size: int
    mtime_ns: int
    content: str
    content_reason: str
    detected_at_ns: int


_FILES: Select[tuple[object, ...]] = select(
    L.id,
    L.source_id,
    sources.c.root,
    L.rel_path,
    L.display,
    L.kind,
    L.problem,
    L.size,
    L.mtime_ns,
    L.is_dirty,
    L.is_missing,
    L.part_of,
    L.current_version_id,
    V.source_hash,
    V.content,
    V.content_reason,
    L.settles_at_ns,
    _is_retired.label("is_retired"),
).select_from(locations.join(sources, sources.c.id == L.source_id).outerjoin(versions, V.id == L.current_version_id))
CURRENT_FILES = (
    _FILES.where(L.source_id.in_(bindparam("sources", expanding=True)))
    .where(or_(L.is_missing.is_(False), L.current_version_id.is_not(None)))
    .order_by(L.source_id, L.rel_path)
)
VERSIONS_OF = (
    select(
        V.id,
        V.location_id,
        V.source_hash,
        V.sha256,
        V.size,
        V.mtime_ns,
        V.content,
        V.content_reason,
        V.detected_at_ns,
    )
    .where(V.location_id == bindparam("location"))
    .order_by(V.id)
)


def current_files(
    connection: Connection, sources: Iterable[int], locations: Iterable[int] | None = None
) -> Iterator[FileRow]:
    """Every location of these sources by source and path, but those that went missing before they were read.

    With `locations` only these, in no order over all of them.
    """
    wanted = list(sources)
    if locations is None:
        for row in connection.execute(CURRENT_FILES, {"sources": wanted}):
            yield FileRow._make(row)
        return
    single = sorted(locations)
    for at in range(0, len(single), AT_ONCE):
        chunk = single[at : at + AT_ONCE]
        for row in connection.execute(CURRENT_FILES.where(L.id.in_(chunk)), {"sources": wanted}):
            yield FileRow._make(row)


def versions_of(connection: Connection, location: int) -> list[VersionRow]:
    """All versions of a location, oldest first."""
    return [VersionRow._make(row) for row in connection.execute(VERSIONS_OF, {"location": location})]
