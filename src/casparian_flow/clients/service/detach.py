"""Leaves the terminal: the rest of the program goes on in a process of its own, and the first one says how it went."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from casparian_flow.core.errors import CasparianError, ConnectionLost, UsageError

READY = b"R"
FAILED = b"F"


class Launch:
    """How a detached process tells the one that a person started that it is ready, or why it never will be."""

    def __init__(self, writing: int) -> None:
        self._writing: int | None = writing

    def ready(self, told: bytes) -> None:
        """Let the first process say this and end well."""
        self._say(READY + told)

    def failed(self, error: CasparianError) -> None:
        """Let the first process fail with the same error."""
        said = {"code": error.code, "detail": error.message, "where": error.where, "why": error.why, "fix": error.fix}
        self._say(FAILED + json.dumps(said).encode())

    def _say(self, data: bytes) -> None:
        if self._writing is not None:
            os.write(self._writing, data)
            os.close(self._writing)
            self._writing = None


def detach(log: Path, work: Callable[[Launch], int]) -> tuple[bool, bytes]:
    """Have the work done in a process without a terminal, whose output goes to the log.

    Returns here once it is ready, with what it said then, or with false and its error as JSON. To be called before
    anything is opened and before there is a second thread.
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
        said = told.read()
    if not said:
        raise ConnectionLost("the sentinel ended before it was ready", where=str(log), fix=f"tail {log}")
    return said[:1] == READY, said[1:]


def _become_daemon(output: int, writing: int, work: Callable[[Launch], int]) -> NoReturn:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)  # the child of this one can never get a terminal again
    code = 1
    try:
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
