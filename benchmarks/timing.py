"""Commands measured as processes: wall time, CPU time and the peak memory of the whole process tree."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MB = 1 << 20
_LOOK_SECONDS = 0.02


class Skipped(Exception):
    """The benchmark cannot run here; the message says what is missing."""


@dataclass(frozen=True)
class Measured:
    """What one command cost."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    out: str

    @property
    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


def measure(command: Sequence[str], ok: Sequence[int] = (0,)) -> Measured:
    """Run a command to its end; raises RuntimeError with what it said when its exit code is not among `ok`."""
    before, began = os.times(), time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )
    peak = _Peak(process.pid)
    out, err = process.communicate()
    seconds, after = time.perf_counter() - began, os.times()
    peak.stop()
    if process.returncode not in ok:
        raise RuntimeError(f"{command} ended with {process.returncode}\n{out[-2000:]}\n{err[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(seconds, cpu, peak.bytes, out)


def python(module: str, *arguments: str) -> Measured:
    """A module in a process of its own."""
    return measure([sys.executable, "-m", module, *arguments])


def casparian(home: Path, *arguments: str) -> Measured:
    """`casparian … --json` over a home."""
    return measure([sys.executable, "-m", "casparian_flow", "--home", str(home), *arguments, "--json"], ok=(0, 3))


class _Peak:
    """The most resident memory that a process and its descendants were seen to hold together."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            self.bytes = max(self.bytes, sum(map(_resident, _tree(self._pid))))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it ended meanwhile
        return
    for child in children:
        yield from _tree(int(child))


def _resident(pid: int) -> int:
    """Its share of memory that it holds with others is counted once per process: an upper bound."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for data and homes that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="casparian-benchmark-") as folder:
        yield Path(folder)


@dataclass
class Rounds:
    """Several sides measured in turn, so that what else the machine does meets all of them."""

    sides: Mapping[str, Callable[[int], Measured]]
    """What to run in each round, in order; each is given the round's number."""
    measured: dict[str, list[Measured]] = field(default_factory=dict)

    def run(self, rounds: int) -> None:
        """Run every side in every round."""
        for number in range(rounds):
            for name, side in self.sides.items():
                self.measured.setdefault(name, []).append(side(number))

    def seconds(self, name: str) -> float:
        """The median of a side."""
        return statistics.median(each.seconds for each in self.measured[name])

    def report(self, peer: str, bars: Mapping[str, float], size: int, unit: str, count: int) -> None:
        """Medians by side, and what they are relative to the peer; `size` in bytes, `count` in `unit`.

        On a machine that is busy with other things CPU time is the steadier figure, wall time the one that counts.
        """
        print(
            f"{'':20} {'s':>6} {'min-max':>12} {'cpu s':>6} {'MB/s':>6} {unit + '/s':>10} {'peak MB':>8}"
            f" {'cpu / peer':>11}  speed / {peer}"
        )
        peer_cpu = self._cpu(peer)
        for name, found in self.measured.items():
            times = [each.seconds for each in found]
            seconds, cpu, speed = self.seconds(name), self._cpu(name), self.seconds(peer) / self.seconds(name)
            peak = max(each.peak_bytes for each in found) // MB
            spread = f"{min(times):.2f}-{max(times):.2f}"
            verdict = ""
            if name in bars:
                verdict = f"  (bar {bars[name]:.2f}: {'met' if speed >= bars[name] else 'missed'})"
            print(
                f"{name:20} {seconds:6.2f} {spread:>12} {cpu:6.2f} {size / MB / seconds:6.1f} {count / seconds:10,.0f}"
                f" {peak:8} {cpu / peer_cpu:11.2f}  {speed:.2f}{verdict}"
            )

    def _cpu(self, name: str) -> float:
        return statistics.median(each.cpu_seconds for each in self.measured[name])


def machine() -> str:
    """What it ran on, in one line."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    return f"{cores} cores ({model}), load {load:.1f} at the start, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
