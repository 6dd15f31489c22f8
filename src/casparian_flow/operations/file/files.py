"""Files: every location that was found, with its state and the reason for it."""

from __future__ import annotations

from casparian_flow.core.files import FileState
from casparian_flow.operations.limits import PageSize
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListFiles(Request, frozen=True, kw_only=True):
    """Which files; what is not given does not restrict. `after` is the cursor of the page before."""

    source: str | None = None
    tag: str | None = None
    untagged: bool = False
    states: tuple[FileState, ...] = ()
    extension: str | None = None
    since: str | None = None
    limit: PageSize = 100
    after: str | None = None


class FileEntry(Reply, frozen=True, kw_only=True):
    """One location. `reason` is a code, `detail` says it in words; `job` is the last one that read these bytes."""

    path: str
    source: str
    state: FileState
    reason: str
    detail: str
    size: int
    mtime: str
    content: str | None
    parser: str | None
    job: str | None
    tables: list[str]


class FileList(Reply, frozen=True, kw_only=True):
    """One page of files."""

    files: list[FileEntry]
    next_cursor: str | None


class ShowFile(Request, frozen=True, kw_only=True):
    """One file: an absolute path, one relative to the asker's folder, or a path inside a source."""

    file: str


class FileVersionEntry(Reply, frozen=True, kw_only=True):
    """The bytes that a location held at one time."""

    version: int
    source_hash: str
    sha256: str | None
    size: int
    content: str
    content_reason: str
    detected: str
    is_current: bool


class FileJob(Reply, frozen=True, kw_only=True):
    """A job that read bytes of this file."""

    job: str
    state: str
    reason: str
    parser: str
    error: str | None
    message: str | None
    queued: str


class FileDetail(Reply, frozen=True, kw_only=True):
    """Everything known about one location."""

    file: FileEntry
    tags: list[str]
    also_at: list[str]
    versions: list[FileVersionEntry]
    jobs: list[FileJob]


OPERATIONS = (
    Operation(
        "files.list", ListFiles, FileList, Effect.READ, "file.files.list_", "Files with their state and its reason."
    ),
    Operation("files.show", ShowFile, FileDetail, Effect.READ, "file.files.show", "Everything known about one file."),
)
