"""A ceiling for memory: a command under it fails when its processes together want more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import MB, environment

GROUPS = Path("/sys/fs/cgroup")
MOST_PROCESSES = 3
"""Without a control group each process has a limit of its own: the host, a warm interpreter, and a guest forked off."""


@dataclass(frozen=True)
class Ceiling:
    """What holds a command down, and the words that go before it."""

    how: str
    words: Sequence[str]
    most_processes: int | None
    """How many processes the limits allow for; None where one limit is for all of them."""


@contextmanager
def ceiling(size: int) -> Iterator[Ceiling]:
    """A control group whose memory is limited, where this process may make one; else a limit for each process.

    The group counts everything, swap shut. The limits of processes count the data that each may write (`RLIMIT_DATA`:
    heap and private mappings, used or not); what it only reads is left to the sampled resident memory. They are equal
    and add up to `size`, so a run of more processes than that has no ceiling, which its caller checks.
    """
    group = _new_group(size, GROUPS)
    try:
        words = [sys.executable, "-m", "benchmarks.capped", "group", str(group)]
        if group is not None and _may_join(words):
            yield Ceiling(f"a control group of {size // MB} MB", words, None)
        else:
            yield limits_of_processes(size)
    finally:
        if group is not None:
            group.rmdir()


def limits_of_processes(size: int) -> Ceiling:
    """The same limit for each process, together at most `size`."""
    share = size // MOST_PROCESSES
    words = [sys.executable, "-m", "benchmarks.capped", "data", str(share)]
    return Ceiling(f"RLIMIT_DATA of {share // MB} MB for each of {MOST_PROCESSES} processes", words, MOST_PROCESSES)


def _may_join(words: Sequence[str]) -> bool:
    command = [*words, sys.executable, "-c", ""]
    return subprocess.run(command, env=environment(), stderr=subprocess.DEVNULL, check=False).returncode == 0


def _new_group(size: int, root: Path) -> Path | None:
    """A new group (cgroup v2) beside or above this process's own, as near as memory can be limited and we may write."""
    for parent in _own_groups(root):
        control = parent / "cgroup.subtree_control"
        if not (os.access(parent, os.W_OK) and os.access(parent / "cgroup.procs", os.W_OK) and control.is_file()):
            continue
        if "memory" not in control.read_text().split():
            continue
        group = parent / f"casparian-benchmark-{os.getpid()}"
        group.mkdir()
        (group / "memory.max").write_text(str(size))
        (group / "memory.oom.group").write_text("1")
        if (group / "memory.swap.max").exists():
            (group / "memory.swap.max").write_text("0")
        return group
    return None


def _own_groups(root: Path) -> Iterator[Path]:
    """The groups above that of this process, nearest first, as far as they are to be seen."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::"):
            own = root / line.removeprefix("0::").lstrip("/")
            yield from (parent for parent in own.parents if parent.is_relative_to(root) and parent.is_dir())
