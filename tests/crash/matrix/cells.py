"""The cells of the matrix, and the processes in which they are tried."""

from __future__ import annotations

import json
import os
import queue
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from .disk import Fault, build_library
from .failpoints import FAILPOINTS, SOMETIMES
from .names import is_of_home
from .scenarios import SCENARIOS

Steps = Mapping[str, Mapping[str, int]]
"""Of each scenario its steps, and how often each is taken."""

KINDS = ("kill", "full", "torn")
ROOT = Path(__file__).parent.parent.parent.parent


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault in one scenario."""

    scenario: str
    fault: Fault


def cell_at(scenario: str, point: str, count: int, kind: str, seed: int) -> Cell:
    """A fault at one of the times that the step is taken in a scenario."""
    chance = random.Random(f"{scenario} {point} {kind} {seed}")
    return Cell(scenario, Fault(point, chance.randint(1, count), kind, chance.randrange(1 << 30)))


def every_cell(steps: Steps, seed: int) -> list[Cell]:
    """Every kind of fault that makes sense at every step of every scenario."""
    return [
        cell_at(scenario, point, count, kind, seed)
        for scenario, found in steps.items()
        for point, count in sorted(found.items())
        for kind in KINDS
        if not senseless(point, kind)
    ]


def chosen_cells(steps: Steps, seed: int) -> list[Cell]:
    """Every kind of fault at every step, each in one of the scenarios that take it; the seed says in which.

    Steps of the home are the same whatever the target is, those at data files whatever else a target of files is. The
    scenarios of one kind of target are enough to choose the cells of that kind.
    """
    alike: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for cell in every_cell(steps, seed):
        scheme, fault = SCENARIOS[cell.scenario].scheme, cell.fault
        if SCENARIOS[cell.scenario].next_is_served:  # a service waits for the lease of every job that was not over
            continue
        if scheme == scheme_of(scheme, fault.point, fault.kind, seed):
            alike[scheme, fault.point, fault.kind].append(cell)
    return [random.Random(f"{which} {seed}").choice(cells) for which, cells in sorted(alike.items())]


def scheme_of(scheme: str, point: str, kind: str, seed: int) -> str:
    """In which kind of target a fault is tried that may come in this one: the same for all that share the step.

    A step that is not taken every time may not come in another: it is tried wherever it came.
    """
    if point in SOMETIMES:
        return scheme
    for taken, family in FAMILIES:
        if scheme in family and taken(point):
            takers = [each for each in family if is_of_home(point) or point in FAILPOINTS[each]]
            return random.Random(f"{point} {kind} {seed}").choice(takers or [scheme])
    return scheme


FAMILIES: tuple[tuple[Callable[[str], bool], tuple[str, ...]], ...] = (
    (is_of_home, ("parquet", "csv", "duckdb", "sqlite")),
    (lambda point: not point.startswith("data file"), ("parquet", "csv")),
    (lambda point: point.startswith("waiting "), ("duckdb", "sqlite")),
)
"""Steps that several kinds of target take with the same code."""


def senseless(point: str, kind: str) -> str:
    """Why a kind of fault cannot come at a step; empty where it can."""
    call = point.partition(": ")[2].partition(" (")[0]
    if kind == "full" and call in ("remove", "rmdir", "cut"):
        return "taking away needs no space"
    if kind == "full" and call == "sync" and ("folder" in point or "place" in point):
        return "names have their space when they are made"
    if kind == "torn" and point.startswith("scratch"):
        return "nothing of it is needed after a crash: every start begins with removing it"
    return ""


class Crew:
    """So many drivers, whose guests come from the interpreter at an address; whoever asks gets one that is idle."""

    def __init__(self, folder: Path, drivers: int, guests: str) -> None:
        self._folder = folder
        self._guests = guests
        self._count = drivers
        self._idle: queue.Queue[subprocess.Popen[str]] = queue.Queue()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        library = build_library(self._folder)
        for at in range(self._count):
            place = self._folder / f"driver{at}"
            place.mkdir()
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(place),
                "TMPDIR": str(place),
                "CASPARIAN_CASES": str(place / "cases.toml"),
                "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in (".", "src", "tests")),
                "LD_PRELOAD": str(library),
            }
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.matrix.driver", str(place), self._guests],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            self._stack.enter_context(process)
            self._stack.callback(process.kill)
            self._idle.put(process)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def steps(self, scenario: str) -> dict[str, int]:
        """The steps of a quiet run."""
        answer: dict[str, int] = self._ask({"scenario": scenario})["steps"]
        return answer

    def run(self, cell: Cell) -> dict[str, Any]:
        """Try one cell; the fault comes the first time if the step is taken less often than in a quiet run."""
        answer = self._ask({"scenario": cell.scenario, **asdict(cell.fault)})
        if not answer["struck"]:
            answer = self._ask({"scenario": cell.scenario, **asdict(cell.fault), "occurrence": 1})
        return answer

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._idle.get()
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        finally:
            self._idle.put(process)
        if "trouble" in answer:
            raise AssertionError(answer["trouble"])
        return answer


def fast_place() -> str | None:
    """A folder in memory, where there is one: what a disk loses is pretended anyhow, and its pace is not the point."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
