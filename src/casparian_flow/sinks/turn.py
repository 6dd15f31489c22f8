"""Whose turn it is at a place that several processes and threads use: locks that end with whoever holds them.

A database file has a lock file beside it, there only while somebody writes. What an engine locks by itself is not
enough: how long it waits, and for whom, differs, and a file that does not exist yet has no lock.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from casparian_flow.core.errors import SinkUnavailable

WAIT_SECONDS = 120.0
"""How long others of ours may hold a place before it is reported; each holds it for one transaction."""
_PAUSE = 0.005
_THREADS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
"""One thread of this process at a time has a database open: engines differ in what they allow beyond that."""


def lock_file(path: Path) -> Path:
    """The lock file of a database; links to one database lead to one lock."""
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name}.lock")


@contextmanager
def writing_turn(path: Path) -> Iterator[None]:
    """The only one of our threads and processes at a database. Raises SinkUnavailable if others have it too long."""
    lock = lock_file(path)
    until = time.monotonic() + WAIT_SECONDS
    with _thread_turn(path, until):
        descriptor = _taken(lock, path, until)
        try:
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            lock.unlink(missing_ok=True)  # still ours: whoever waits for it sees that it is gone, and makes another
            os.close(descriptor)


@contextmanager
def reading_turn(path: Path) -> Iterator[None]:
    """No other thread of ours at a database, and no writer of ours that was there already.

    Leaves nothing behind, so that a database in a folder of others can be read.
    """
    until = time.monotonic() + WAIT_SECONDS
    with _thread_turn(path, until):
        try:
            descriptor = os.open(lock_file(path), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            yield  # nobody of ours writes, or others keep us out; the engine's own lock is there still
            return
        try:
            _wait(descriptor, fcntl.LOCK_SH, path, until)
            yield
        finally:
            os.close(descriptor)


@contextmanager
def folder_turn(descriptor: int, path: Path, *, alone: bool) -> Iterator[None]:
    """A turn at an open folder, `alone` or with others who are not. Raises SinkUnavailable after too long a wait."""
    _wait(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, path, time.monotonic() + WAIT_SECONDS)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_still(descriptor: int, path: Path) -> bool:
    """Whether an open file or folder is the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _thread_turn(path: Path, until: float) -> Iterator[None]:
    lock = _THREADS[os.path.realpath(path)]
    if not lock.acquire(timeout=max(until - time.monotonic(), 0)):
        raise _busy(path, f"another thread of this process, {os.getpid()}, has it")
    try:
        yield
    finally:
        lock.release()


def _taken(lock: Path, path: Path, until: float) -> int:
    """The lock file, held by us and by its name still the one that others will look at."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _wait(descriptor, fcntl.LOCK_EX, path, until)
            if is_still(descriptor, lock):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait(descriptor: int, kind: int, path: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() >= until:
                raise _busy(path, _holder(descriptor)) from exc
            time.sleep(_PAUSE)
        else:
            return


def _holder(descriptor: int) -> str:
    with suppress(OSError):  # a folder says nothing of who has it
        if found := os.pread(descriptor, 20, 0).decode("ascii", "replace"):
            return f"process {found} has it"
    return "another process has it"


def _busy(path: Path, holder: str) -> SinkUnavailable:
    return SinkUnavailable(
        "the target is in use by another commit",
        where=str(path),
        why=f"{holder}, for more than {WAIT_SECONDS:g} s",
        fix="repeat the command when that one is done; what was permitted is completed then",
    )
