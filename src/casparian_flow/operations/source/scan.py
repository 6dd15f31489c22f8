"""Scans: what a folder holds, found and hashed without running anything."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.core.files import HashMode
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ScanFiles(Request, frozen=True, kw_only=True):
    """Which folders, files and sources; none means the source in use, else every known one.

    What follows them restricts the scan: what is outside stays as it is known. Sizes are as people write them; `depth`
    counts the parts of a path. `hash_mode` says which files are read, `tag` is given to every file that is covered.
    """

    paths: tuple[str, ...] = ()
    sources: tuple[int, ...] = ()
    patterns: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    min_size: str | None = None
    max_size: str | None = None
    depth: Annotated[int, msgspec.Meta(ge=0)] = 0
    hash_mode: HashMode = HashMode.CHANGED
    tag: str | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    with_sha256: bool = False


class ScanProblem(Reply, frozen=True, kw_only=True):
    """One entry that is no ordinary, readable file; `keeps_from_reading`: nothing of it was read because of this."""

    path: str
    kind: str
    reason: str
    keeps_from_reading: bool


class ScanReply(Reply, frozen=True, kw_only=True):
    """What is there and what changed since the last scan. `content` counts entries by kind of content.

    `next` is the command that reads what is new by the words by which the others were read, or says what it would do.
    """

    entries: int
    new: int
    changed: int
    missing: int
    returned: int
    renamed: int
    files_read: int
    bytes_read: int
    new_versions: int
    still_changing: list[str]
    unreadable: int
    content: dict[str, int]
    problems: list[ScanProblem]
    warnings: list[str]
    next: str


OPERATIONS = (
    Operation("scan", ScanFiles, ScanReply, Effect.EXECUTE, "source.scan.scan", "Find and hash files; run nothing."),
)
