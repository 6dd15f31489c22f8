"""What is known of a path and of its bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    """What a directory entry is; only `file` can be parsed, every other kind is a row with a reason."""

    FILE = "file"
    SYMLINK_LOOP = "symlink_loop"
    SYMLINK_BROKEN = "symlink_broken"
    SYMLINK = "symlink"
    FIFO = "fifo"
    SOCKET = "socket"
    DEVICE = "device"
    UNREADABLE = "unreadable"
    IGNORED = "ignored"
    SPECIAL = "special"


class FileState(StrEnum):
    """Where a file stands, from its own signs, the last plan and its last job."""

    NEW = "new"
    """Found, and no job has read these or earlier bytes."""
    CHANGED = "changed"
    """Its bytes or signs changed since a job read it."""
    ACTIVE = "active"
    """A job that reads it is waiting or running."""
    DONE = "done"
    QUARANTINED = "quarantined"
    """Read to its end, and some of its rows wait for a person."""
    FAILED = "failed"
    MISSING = "missing"
    SKIPPED = "skipped"


class HashMode(StrEnum):
    """Which files a scan reads: none, those whose signs changed, or all of them."""

    NONE = "none"
    CHANGED = "changed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Stamp:
    """The cheap signs that a file may have changed; only its hash decides."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def display_path(raw: bytes) -> str:
    r"""A path's bytes as text that JSON and SQL can hold; undecodable bytes appear as `\xNN`."""
    return raw.decode("utf-8", "backslashreplace")


def system_path(raw: bytes) -> str:
    """A path's bytes as Python's file functions take them."""
    return os.fsdecode(raw)
