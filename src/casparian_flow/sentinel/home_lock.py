"""One process at a time may change a home; whoever is refused learns who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from casparian_flow.core.errors import HomeBusy, HomeUnavailable, UsageError, VerificationFailed
from casparian_flow.core.presence import decode
from casparian_flow.core.text import safe_text
from casparian_flow.settings import Home

RETRY_SECONDS = 0.2
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
SERVED = "; it is a sentinel: a command without --embedded asks it"


@contextmanager
def hold(path: Path, *, seconds: float = 0.0, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock for the length of the block. The kernel lets go of it when the process ends, however it ends.

    The home is made if there is none. Raises HomeBusy, naming the holder, when another process still has it after so
    many seconds, UsageError where nothing may be written and HomeUnavailable where the disk does not take it;
    `waiting` is told the holder once, when there is a reason to wait.
    """
    until = time.monotonic() + seconds
    with _writing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() >= until:
                    why = holder(path)
                    is_served = _is_sentinel(path, why)
                    raise HomeBusy(
                        "another process works in this home",
                        where=str(path.parent),
                        why=why + SERVED if is_served else why,
                        fix="casparian status" if is_served else "--wait",
                    ) from exc
                if waiting is not None:
                    waiting(holder(path))
                    waiting = None
                time.sleep(min(RETRY_SECONDS, max(until - time.monotonic(), 0)))
        command = " ".join(safe_text(part) for part in sys.argv)
        said = json.dumps({"pid": os.getpid(), "command": command, "since": int(time.time())})
        with _writing(path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, said.encode(), 0)
        try:
            yield
        finally:
            with suppress(OSError):  # what was typed may repeat a value, and is of no use any more
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        why = exc.strerror or str(exc)
        if exc.errno in _DISK:
            raise HomeUnavailable(
                "the home cannot be written",
                where=str(path.parent),
                why=f"the disk is full, or reports errors ({errno.errorcode[exc.errno]})",
                fix="free some space or look after the disk, then repeat the command",
            ) from exc
        raise UsageError(
            "the home cannot be written", where=str(path.parent), why=why, fix="casparian doctor, or another --home"
        ) from exc


def _is_sentinel(path: Path, holder: str) -> bool:
    """Whether the holder is the process that announced itself as the sentinel of the lock's home."""
    announced = Home(path.parent).sentinel
    try:
        presence = decode(announced.read_bytes(), str(announced))
    except (OSError, VerificationFailed):
        return False
    return holder.startswith(f"held by process {presence.pid} ")


def holder(path: Path) -> str:
    """Who holds the lock, in words."""
    try:
        found = json.loads(path.read_text())
        since = time.strftime("%H:%M:%S", time.localtime(found["since"]))
        return f"held by process {found['pid']} since {since}: {found['command']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "held by a process that has not said its name yet"
