"""What is known of files, for everybody who asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, or_, select

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.ids import LocationId, SourceId, VersionId
from casparian_flow.store.tables import locations, sources, versions

L = locations.c
V = versions.c
CANDIDATES = 10
"""How many paths an ambiguous name lists."""


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
).select_from(locations.join(sources, sources.c.id == L.source_id).outerjoin(versions, V.id == L.current_version_id))
CURRENT_FILES = (
    _FILES.where(L.source_id.in_(bindparam("sources", expanding=True)))
    .where(or_(L.is_missing.is_(False), L.current_version_id.is_not(None)))
    .order_by(L.source_id, L.rel_path)
)
FILE_BY_ID = _FILES.where(L.id == bindparam("location"))
LOCATIONS_OF_HASH = _FILES.where(V.source_hash == bindparam("hash")).order_by(L.id)
FILES_BY_DISPLAY = _FILES.where(L.display == bindparam("text")).order_by(L.is_missing, L.source_id)
FILES_BY_PATH = _FILES.where(L.source_id == bindparam("source"), L.rel_path == bindparam("rel_path"))
FILES_BY_SUFFIX = (
    _FILES.where(func.substr(L.display, -func.length(bindparam("end"))) == bindparam("end"))
    .order_by(L.is_missing, L.display, L.source_id)
    .limit(CANDIDATES + 1)
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


def current_files(connection: Connection, sources: Iterable[int]) -> Iterator[FileRow]:
    """Every location of these sources by source and path, but those that went missing before they were read."""
    for row in connection.execute(CURRENT_FILES, {"sources": list(sources)}):
        yield FileRow._make(row)


def file_by_id(connection: Connection, location: int) -> FileRow:
    """One location; raises NotFound."""
    row = connection.execute(FILE_BY_ID, {"location": location}).one_or_none()
    if row is None:
        raise NotFound(f"there is no file location {location}")
    return FileRow._make(row)


def locations_of_hash(connection: Connection, source_hash: str) -> list[FileRow]:
    """Every location whose current version has these bytes, missing ones included."""
    return [FileRow._make(row) for row in connection.execute(LOCATIONS_OF_HASH, {"hash": source_hash})]


def versions_of(connection: Connection, location: int) -> list[VersionRow]:
    """All versions of a location, oldest first."""
    return [VersionRow._make(row) for row in connection.execute(VERSIONS_OF, {"location": location})]


def find_location(connection: Connection, text: str, absolute: bytes | None = None) -> FileRow:
    """The location meant by a person's words: an absolute path, a path in a source, or the unique end of one.

    `absolute` is the text made absolute from where the person stands. Raises NotFound, or UsageError with the
    candidates when several are meant; a path that is there wins over one that is missing.
    """
    if absolute is not None and (found := _by_absolute_path(connection, absolute)):
        return found[0]
    for statement, values in (
        (FILES_BY_DISPLAY, {"text": text}),
        (FILES_BY_SUFFIX, {"end": "/" + text.lstrip("/")}),
    ):
        found = [FileRow._make(row) for row in connection.execute(statement, values)]
        present = [row for row in found if not row.is_missing] or found
        if len(present) == 1:
            return present[0]
        if present:
            listed = ", ".join(display_path(row.path) for row in present[:CANDIDATES])
            more = " and more" if len(present) > CANDIDATES else ""
            raise UsageError(f"several files are called {text}", why=f"{listed}{more}", fix="give more of the path")
    raise NotFound(f"no scanned file is called {text}", fix="casparian scan PATH")


def _by_absolute_path(connection: Connection, absolute: bytes) -> list[FileRow]:
    found = []
    for source, root in connection.execute(select(sources.c.id, sources.c.root).order_by(sources.c.id)):
        base = root.rstrip(b"/") + b"/"
        if absolute.startswith(base):
            values = {"source": source, "rel_path": absolute[len(base) :]}
            found += [FileRow._make(row) for row in connection.execute(FILES_BY_PATH, values)]
    return sorted(found, key=lambda row: row.is_missing)
