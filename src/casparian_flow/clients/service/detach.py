"""Leaves the terminal: the rest of the program goes on in a process of its own, and the first one says how it went."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from casparian_flow.core.errors import UsageError

READY = b"R"


class Launch:
    """How a detached process tells the one that a person started that it is ready, or why it never will be."""

    def __init__(self, writing: int) -> None:
        self._writing: int | None = writing

    def ready(self) -> None:
        """Let the first process end well."""
        self._say(READY)

    def failed(self, message: str) -> None:
        """Let the first process say this and fail."""
        self._say(b"F" + message.encode("utf-8", "backslashreplace"))

    def _say(self, data: bytes) -> None:
        if self._writing is not None:
            os.write(self._writing, data)
            os.close(self._writing)
            self._writing = None


def detach(log: Path, work: Callable[[Launch], int]) -> tuple[int, str]:
    """Have the work done in a process without a terminal, whose output goes to the log.

    Returns here once it is ready, with its process id and an empty text; or with what it said about its failure.
    To be called before anything is opened and before there is a second thread.
    """
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise UsageError("the log cannot be written", where=str(log), why=exc.strerror or str(exc)) from exc
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    first = os.fork()
    if first == 0:
        os.close(reading)
        _become_daemon(output, writing, work)
    os.close(writing)
    os.close(output)
    os.waitpid(first, 0)
    with os.fdopen(reading, "rb") as told:
        pid, _, rest = told.read().partition(b"\n")
    if rest == READY:
        return int(pid), ""
    return 0, rest[1:].decode(errors="replace") or f"it ended before it was ready; see {log}"


def _become_daemon(output: int, writing: int, work: Callable[[Launch], int]) -> NoReturn:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)  # the child of this one can never get a terminal again
    code = 1
    try:
        os.write(writing, f"{os.getpid()}\n".encode())
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, output), (2, output)):
            os.dup2(source, target)
        code = work(Launch(writing))
    except BaseException:
        traceback.print_exc()  # into the log: there is nobody above
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
