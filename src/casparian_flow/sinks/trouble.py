"""What an error of the operating system means for a target, in words that say what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from casparian_flow.core.errors import SinkUnavailable

_MEANING = {
    errno.EROFS: ("the file system is read-only", "choose a target on a file system that can be written to"),
    errno.EACCES: ("permission is denied", "change the folder's permissions, or choose another target"),
    errno.EPERM: ("the operation is not permitted there", "change the folder's permissions, or choose another target"),
    errno.ENOSPC: ("the disk is full", "free some space; what was not committed is removed by itself"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or choose another target"),
    errno.EFBIG: ("a file may not grow that large there", "raise the limit (ulimit -f), or choose another target"),
    errno.ENOTDIR: ("a part of the path is a file", "choose a folder as target"),
    errno.EISDIR: ("a folder stands where a file should be", "choose another target"),
    errno.EEXIST: ("something of that name is there already", "move it away, or choose another target"),
    errno.ENAMETOOLONG: ("the path is too long", "choose a shorter target or table name"),
    errno.ENOENT: ("a folder is missing or cannot be created there", "create it, or choose another target"),
    errno.EOPNOTSUPP: ("the file system has no hard links", "choose a target on a local file system"),
    errno.EMLINK: ("the file system has no hard links", "choose a target on a local file system"),
    errno.ESTALE: ("the network file system went away", "mount it again and repeat the command"),
    errno.EIO: ("the disk reports errors", "check the disk; do not trust it with results"),
}


def unavailable(uri: str, error: OSError) -> SinkUnavailable:
    """The error that tells a person why the target could not be used."""
    code = error.errno or 0
    why, fix = _MEANING.get(code, (error.strerror or str(error), "check the target, or choose another"))
    return SinkUnavailable(
        f"cannot write to {uri}",
        where=str(error.filename or ""),
        why=f"{why} ({errno.errorcode.get(code, type(error).__name__)})",
        fix=fix,
    )


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Errors of the operating system inside the block become SinkUnavailable."""
    try:
        yield
    except OSError as exc:
        raise unavailable(uri, exc) from exc
