"""What runs on this machine, seen from a process that was started: its descendants, and who is left of a folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def parents() -> dict[int, int]:
    """The parent of every process that is not a corpse."""
    found = {}
    for place in Path("/proc").iterdir():
        if (entry := place.name).isdigit():
            with suppress(OSError):
                state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found[int(entry)] = int(parent)
    return found


def descendants(process: int) -> list[int]:
    """Every process under one, nearest first."""
    children: dict[int, list[int]] = {}
    for child, parent in parents().items():
        children.setdefault(parent, []).append(child)
    found = list(children.get(process, ()))
    for each in found:
        found += children.get(each, ())
    return found


def command_of(process: int) -> list[str]:
    """Its command line; empty when it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def is_worker(process: int) -> bool:
    """Whether it turns files into rows, as a process of the product."""
    command = command_of(process)
    return "worker" in command and "casparian_flow" in command


def is_guest(process: int) -> bool:
    """Whether it is a parser's process."""
    return any(word.endswith("casparian_flow/guest/__main__.py") for word in command_of(process))


def is_alive(process: int) -> bool:
    """Whether it runs, or is stopped; a corpse is not alive."""
    return process in parents()


def at_home_in(folder: Path) -> Iterator[int]:
    """Every process that works in a folder or below, whoever started it: guests, and what guests started."""
    for process in parents():
        with suppress(OSError):
            if Path(f"/proc/{process}/cwd").readlink().is_relative_to(folder):
                yield process


def send(process: int, number: signal.Signals) -> bool:
    """Whether the process was there to get the signal."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return False
    return True
