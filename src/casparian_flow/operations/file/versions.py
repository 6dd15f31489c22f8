"""File versions: what a file was at each time, and what two versions differ in."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListVersions(Request, frozen=True, kw_only=True):
    """One file."""

    file: str


class LandedTable(Reply, frozen=True, kw_only=True):
    """The rows of one table that came from a version's bytes."""

    table: str
    sink: str
    parser: str
    job: str
    contract: int
    accepted: int
    quarantined: int
    is_current: bool


class VersionEntry(Reply, frozen=True, kw_only=True):
    """The bytes that a file held at one time, and the tables that they became. `version` names it in `files diff`."""

    version: int
    path: str
    source_hash: str
    sha256: str | None
    size: int
    mtime: str
    content: str
    content_reason: str
    detected: str
    is_current: bool
    tables: list[LandedTable]


class VersionList(Reply, frozen=True, kw_only=True):
    """The newest hundred versions of a file, newest first."""

    file: str
    versions: list[VersionEntry]


class DiffVersions(Request, frozen=True, kw_only=True):
    """Two versions: each a number, the beginning of a hash, or a file, which means its current version."""

    before: str
    after: str


class TableDifference(Reply, frozen=True, kw_only=True):
    """One table. `added` and `removed` count rows that only one version has; null where they cannot be read any more.

    `note` says why, or what else is to be known.
    """

    table: str
    rows_before: int | None
    rows_after: int | None
    added: int | None
    removed: int | None
    columns_added: list[str]
    columns_removed: list[str]
    note: str


class VersionDifference(Reply, frozen=True, kw_only=True):
    """Both versions, whether their bytes are the same, and what became of their rows."""

    before: VersionEntry
    after: VersionEntry
    has_same_bytes: bool
    tables: list[TableDifference]
    note: str


OPERATIONS = (
    Operation(
        "files.versions", ListVersions, VersionList, Effect.READ, "file.versions.versions", "Every version of one file."
    ),
    Operation(
        "files.diff", DiffVersions, VersionDifference, Effect.READ, "file.versions.diff", "What two versions differ in."
    ),
)
