"""Every kind of fault at every step of a run: the next run gives the quiet tables, and nothing is left lying around."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.crash.matrix.cells import Cell, Crew, cell_at, chosen_cells, fast_place, senseless
from tests.crash.matrix.failpoints import FAILPOINTS, HOME, SOMETIMES
from tests.crash.matrix.names import is_of_home
from tests.crash.matrix.scenarios import SCENARIOS

SEED = 1
"""`python -m tests.crash.matrix --seed N` tries other moments, and other scenarios for the same steps."""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not any(map(shutil.which, ("cc", "gcc", "clang"))),
    reason="calls of the C library are judged on Linux, where a C compiler is",
)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with TemporaryDirectory(dir=fast_place()) as folder:
        yield Path(folder)


def broken(crew: Crew, cells: list[Cell], at_once: int) -> list[str]:
    """What does not hold, each with the command that repeats it."""
    found = []
    with ThreadPoolExecutor(at_once) as pool:
        for cell, answer in zip(cells, pool.map(crew.run, cells), strict=True):
            fault = cell.fault
            again = f"--scenario '{cell.scenario}' --point '{fault.point}' --kind {fault.kind} --all --seed {SEED}"
            if not answer["struck"]:
                found.append(f"{cell}: never came\n  python -m tests.crash.matrix {again}")
            elif answer["broken"]:
                what = "\n  ".join(answer["broken"])
                found.append(f"{cell}:\n  {what}\n  said: {answer['said']}\n  python -m tests.crash.matrix {again}")
    return found


FAST = [
    ("data file: write", "full"),
    ("state log: write (permit)", "torn"),
    ("log entry: link", "kill"),
    ("log folder: sync", "torn"),
]


@pytest.mark.invariant(2)
def test_a_run_whose_disk_goes_wrong_is_put_right_by_the_next(place: Path) -> None:
    name = "run into parquet"
    with Crew(place, 1) as crew:
        steps = crew.steps(name)
        assert set(steps) <= FAILPOINTS["parquet"] | HOME | SOMETIMES, "a step has no name in failpoints.py"
        cells = [cell_at(name, point, steps[point], kind, SEED) for point, kind in FAST]
        assert broken(crew, cells, 1) == []


@pytest.mark.slow
@pytest.mark.invariant(2)
@pytest.mark.timeout(1800)
def test_no_fault_at_any_step_loses_doubles_or_leaves_anything(place: Path) -> None:
    with Crew(place, 2) as crew:
        with ThreadPoolExecutor(2) as pool:
            steps = dict(zip(SCENARIOS, pool.map(crew.steps, SCENARIOS), strict=True))
        census: dict[str, set[str]] = {}
        for name, found in steps.items():
            census.setdefault(SCENARIOS[name].scheme, set()).update(set(found) - SOMETIMES)
        at_home = {point for found in census.values() for point in found if is_of_home(point)}
        assert at_home == HOME
        for scheme, points in census.items():
            assert {point for point in points if not is_of_home(point)} == FAILPOINTS[scheme], scheme
        assert broken(crew, chosen_cells(steps, SEED), 2) == []


def test_what_is_left_out_of_the_matrix_has_a_reason() -> None:
    everywhere = sorted(set().union(HOME, *FAILPOINTS.values()))
    left_out = {(point, kind) for point in everywhere for kind in ("kill", "full", "torn") if senseless(point, kind)}
    assert all(kind != "kill" for _point, kind in left_out)
    assert len(left_out) < len(everywhere)
