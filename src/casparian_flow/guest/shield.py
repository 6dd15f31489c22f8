"""What the guest does to itself before any parser code runs: limits, and an end when its host ends.

The kernel cage (no new privileges, Landlock, seccomp) belongs here as one more function, called after `limit`.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import resource
import select
import signal
import sys
import threading
from typing import Any

from casparian_flow.guest.wire import HOST_GONE

CPU_GRACE_SECONDS = 5
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def limit(limits: Any) -> None:
    """Set the resource limits of the order; they hold for this process and all of its children."""
    for name, soft, hard in (
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + CPU_GRACE_SECONDS),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_FSIZE, limits["scratch_bytes"], limits["scratch_bytes"]),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        ceiling = resource.getrlimit(name)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(name, (soft, hard))


def die_with_host(life: int) -> None:
    """End this process and its group when the other end of the pipe `life` closes, which only the host holds.

    On Linux the kernel itself sends SIGKILL then, so that neither a busy loop in C nor a signal handler is in the
    way; children of the parser die too, unless they made a session of their own. A parent-death signal would do the
    same but for the *thread* that started us, which may end earlier.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
        if _has_hung_up(life):  # it happened before we asked for the signal
            os._exit(HOST_GONE)
    else:
        threading.Thread(target=_wait_for_host, args=(life,), daemon=True).start()


def adopt_orphans() -> None:
    """On Linux, keep processes that the parser starts and abandons below this one, where the host finds them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def keep_private(private: bool) -> None:
    """On Linux, let no process of the same user read or write the memory of this one, or let them again."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0 if private else 1, 0, 0, 0)


def _has_hung_up(life: int) -> bool:
    poll = select.poll()
    poll.register(life, 0)
    return bool(poll.poll(0))


def _wait_for_host(life: int) -> None:
    os.read(life, 1)
    os._exit(HOST_GONE)


def open_log(fd: int) -> None:
    """Let everything that the parser logs from INFO upwards flow into `fd`, one line each."""
    stream = os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace")
    logging.basicConfig(stream=stream, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
