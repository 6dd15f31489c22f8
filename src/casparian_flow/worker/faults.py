"""What an exception that no step foresaw says about its job, and about the others of its group."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from casparian_flow.core.errors import CasparianError, HomeUnavailable, InvariantBroken

DISK_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow that large there",
    errno.EIO: "the disk reports errors",
}
SPACE = "free some space on the worker's disk; it tries again by itself"


def host_fault(exc: Exception) -> CasparianError:
    """An exception that was not translated where it arose: a disk that takes nothing passes, a fault of ours stays."""
    if isinstance(exc, OSError) and (why := DISK_FAULTS.get(exc.errno or 0)):
        return HomeUnavailable("a worker cannot keep the rows it reads", why=why, fix=SPACE)
    where = traceback.extract_tb(exc.__traceback__)[-1]
    return InvariantBroken(
        f"the host failed: {exc or type(exc).__name__}",
        why=f"{type(exc).__name__} in {where.name}, {Path(where.filename).name} line {where.lineno}",
    )


def one_of_several(error: CasparianError) -> CasparianError:
    """The error of several jobs of which one is the cause: each is tried again, and alone, so that it is named."""
    error.transient = True
    return error
