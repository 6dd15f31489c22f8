"""Commands measured as processes: wall time, CPU time and the peak memory of the whole process tree."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MB = 1 << 20
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Measured:
    """What one command cost."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    most_processes: int
    """How many of its processes were seen at once."""
    out: str

    @property
    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


def casparian(home: Path, *arguments: str, under: Sequence[str] = ()) -> Measured:
    """`casparian … --json` over a home, to its end; the words of `under` go before it."""
    return measure([*under, *our_command(home, *arguments), "--json"], ok=(0, 3))


def peer(name: str, *arguments: str) -> Measured:
    """A program of `benchmarks/peers/`, to its end."""
    return measure(peer_command(name, *arguments))


def peer_command(name: str, *arguments: str) -> list[str]:
    """A program of `benchmarks/peers/`, as the words of a command."""
    return [sys.executable, "-m", f"benchmarks.peers.{name}", *arguments]


def ours(name: str, *arguments: str) -> Measured:
    """A program of `benchmarks/ours/`, to its end."""
    return measure([sys.executable, "-m", f"benchmarks.ours.{name}", *arguments])


def our_command(home: Path, *arguments: str) -> list[str]:
    """`casparian` over a home, as the words of a command."""
    return [sys.executable, "-m", "casparian_flow", "--home", str(home), *arguments]


def measure(command: Sequence[str], ok: Sequence[int] = (0,)) -> Measured:
    """Run a command to its end; raises RuntimeError with what it said when its exit code is not among `ok`."""
    before, began = os.times(), time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tempfile.gettempdir(),
        env=environment(),
    )
    peak = _Peak(process.pid)
    out, err = process.communicate()
    seconds, after = time.perf_counter() - began, os.times()
    peak.stop()
    if process.returncode not in ok:
        raise RuntimeError(f"{command} ended with {process.returncode}\n{out[-2000:]}\n{err[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(seconds, cpu, peak.bytes, peak.processes, out)


def first_sign(command: Sequence[str]) -> float:
    """The seconds until a command that runs on a terminal writes something; it is then left to end by itself."""
    ours, theirs = pty.openpty()
    began = time.perf_counter()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment())
    os.close(theirs)
    try:
        os.read(ours, 4096)
        seconds = time.perf_counter() - began
        while _read(ours):
            pass
    finally:
        os.close(ours)
    if process.wait() != 0:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return seconds


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how a terminal says that nobody holds its other side any more
        return b""


def environment() -> dict[str, str]:
    """Ours, with the sources in reach and with what peers would send switched off.

    An installed program has its bytecode beside it. The first command of a benchmark, which does not count, writes it,
    or every process would take half a second to compile what it imports.
    """
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    given = os.environ | {"PYTHONPATH": path, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    return given


class _Peak:
    """The most resident memory that a process and its descendants were seen to hold together."""

    def __init__(self, pid: int) -> None:
        self.bytes = self.processes = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            tree = list(process_tree(self._pid))
            self.processes = max(self.processes, len(tree))
            self.bytes = max(self.bytes, sum(map(_resident, tree)))


def process_tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it ended meanwhile
        return
    for child in children:
        yield from process_tree(int(child))


def _resident(pid: int) -> int:
    """Its share of memory that it holds with others is counted once per process: an upper bound."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
