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


@dataclass(frozen=True, slots=True)
class Stamp:
    """The cheap signs that a file may have changed; only its hash decides."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def display_path(raw: bytes) -> str:
    """A path's bytes as text that JSON and SQL can hold; undecodable bytes appear as `\\xNN`."""
    return raw.decode("utf-8", "backslashreplace")


def system_path(raw: bytes) -> str:
    """A path's bytes as Python's file functions take them."""
    return os.fsdecode(raw)
