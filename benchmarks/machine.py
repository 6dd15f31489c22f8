"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

IDLE_LOAD = 0.5


@dataclass(frozen=True)
class Machine:
    """Facts that a figure is worth nothing without."""

    cores: int
    processor: str
    load_before: float
    """How many processes wanted to run in the minute before."""
    python: str

    @property
    def is_idle(self) -> bool:
        """Whether hardly anything else ran."""
        return self.load_before <= IDLE_LOAD


def this_machine() -> Machine:
    """The facts now, before anything is measured."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        load_before=round(os.getloadavg()[0], 2),
        python=platform.python_version(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
