"""What the walk says about one directory entry."""

# Paths are bytes, which pathlib does not take.
# ruff: noqa: PTH116, PTH120

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from casparian_flow.core.files import EntryKind

FILE = EntryKind.FILE.value
COMPANIONS = (b"-journal", b"-shm", b"-wal")
"""What SQLite puts beside a database."""


class Entry(NamedTuple):
    """One entry as it was listed; `rel_path` of a folder that is an entry itself ends with a slash.

    A plain tuple, since a million of them pass by; the first six fields are what a re-scan compares.
    """

    rel_path: bytes
    kind: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    problem: str | None


def folder_entry(rel_path: bytes, kind: EntryKind, problem: str) -> Entry:
    """The row that stands for a whole folder whose entries are not listed."""
    return Entry(rel_path, kind.value, 0, 0, 0, 0, problem)


def describe(rel_path: bytes, absolute: bytes, root: bytes) -> Entry | None:
    """The entry at a path, or None when it is gone or has become a folder since it was listed."""
    try:
        seen = os.lstat(absolute)
    except OSError as exc:
        if isinstance(exc, FileNotFoundError | NotADirectoryError):
            return None
        return Entry(rel_path, EntryKind.UNREADABLE.value, 0, 0, 0, 0, f"cannot be examined: {reason_of(exc)}")
    if stat.S_ISREG(seen.st_mode):
        return Entry(
            rel_path, FILE, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, name_problem_of(rel_path)
        )
    if stat.S_ISDIR(seen.st_mode):
        return None
    kind, problem = _not_a_file(seen.st_mode, absolute, root)
    return Entry(rel_path, kind.value, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, problem)


def reason_of(exc: OSError) -> str:
    """The system's words for an error, without the path."""
    return exc.strerror or type(exc).__name__


def name_problem_of(rel_path: bytes) -> str | None:
    """What a person must know about a readable file's name; None for ordinary names."""
    try:
        text = rel_path.decode()
    except UnicodeDecodeError:
        return "the name is not UTF-8; its other bytes are shown as \\xNN"
    return None if text.isprintable() else "the name holds characters that cannot be shown"


def _not_a_file(mode: int, absolute: bytes, root: bytes) -> tuple[EntryKind, str]:
    if stat.S_ISLNK(mode):
        return _link(absolute, root)
    if stat.S_ISFIFO(mode):
        return EntryKind.FIFO, "a named pipe is never opened"
    if stat.S_ISSOCK(mode):
        return EntryKind.SOCKET, "a socket is never opened"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return EntryKind.DEVICE, "a device is never opened"
    return EntryKind.SPECIAL, "neither a file, a folder nor a link"


def _link(absolute: bytes, root: bytes) -> tuple[EntryKind, str]:
    """Links are never followed: what they lead to is listed where it lies, if it lies in a source at all."""
    try:
        target = os.stat(absolute)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return EntryKind.SYMLINK_LOOP, "the link leads back to itself"
        if isinstance(exc, FileNotFoundError | NotADirectoryError):
            return EntryKind.SYMLINK_BROKEN, "the link leads to nothing"
        return EntryKind.SYMLINK_BROKEN, f"the link cannot be resolved: {reason_of(exc)}"
    real = os.path.realpath(absolute)
    where = "inside" if real == root or real.startswith(root.rstrip(b"/") + b"/") else "outside"
    if stat.S_ISDIR(target.st_mode):
        if (os.path.dirname(absolute) + b"/").startswith(real.rstrip(b"/") + b"/"):
            return EntryKind.SYMLINK_LOOP, "the link leads to a folder that it lies in"
        return EntryKind.SYMLINK, f"links are not followed; this one leads to a folder {where} the source"
    return EntryKind.SYMLINK, f"links are not followed; this one leads to a file {where} the source"
