"""Processes that go on while something else is measured: a sentinel, a watch, a server."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from benchmarks.process import environment, our_command, process_tree

T = TypeVar("T")
PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.02


@contextmanager
def background(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is told to end at the end of the block."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tempfile.gettempdir(),
        env=environment(),
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def sentinel(home: Path, workers: int) -> Iterator[subprocess.Popen[bytes]]:
    """`casparian start` over a home, once it answers."""
    with background(our_command(home, "start", "--workers", str(workers), "--drain-timeout", "0")) as process:
        found = home / "sentinel.json"
        wait_for(lambda: _pid_in(found) == process.pid, "the sentinel never answered")
        yield process


def control_socket(home: Path) -> Path:
    """Where the sentinel of a home is asked."""
    return Path(json.loads((home / "sentinel.json").read_text())["control"])


def wait_for(look: Callable[[], T | None], why: str) -> T:
    """The first thing found that is not nothing; raises RuntimeError, saying why, if there is none for too long."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(why)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process and its descendants have used so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(_ticks(each) for each in process_tree(pid)) / ticks


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return 0
    return int(fields[11]) + int(fields[12])


def _pid_in(path: Path) -> int | None:
    try:
        return int(json.loads(path.read_text())["pid"])
    except (FileNotFoundError, json.JSONDecodeError):
        return None
