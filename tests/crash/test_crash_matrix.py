"""Every kind of fault at every step of a run: the next run gives the quiet tables, and nothing is left lying around."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.crash.matrix.cells import (
    KINDS,
    Cell,
    Crew,
    Steps,
    cell_at,
    chosen_cells,
    fast_place,
    scheme_of,
    senseless,
)
from tests.crash.matrix.failpoints import FAILPOINTS, HOME, SOMETIMES
from tests.crash.matrix.names import is_of_home
from tests.crash.matrix.scenarios import SCENARIOS, SCHEMES

from warm_guests import nursery

SEED = 1
"""`python -m tests.crash.matrix --seed N` tries other moments, and other scenarios for the same steps."""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not any(map(shutil.which, ("cc", "gcc", "clang"))),
    reason="calls of the C library are judged on Linux, where a C compiler is",
)


@pytest.fixture
def place() -> Iterator[Path]:
    with TemporaryDirectory(dir=fast_place()) as folder:
        yield Path(folder)


def broken(crew: Crew, cells: list[Cell]) -> list[str]:
    """What does not hold, each with the command that repeats it."""
    found = []
    for cell in cells:
        answer, fault = crew.run(cell), cell.fault
        again = f"--scenario '{cell.scenario}' --point '{fault.point}' --kind {fault.kind} --all --seed {SEED}"
        if not answer["struck"]:
            found.append(f"{cell}: never came\n  python -m tests.crash.matrix {again}")
        elif answer["broken"]:
            what = "\n  ".join(answer["broken"])
            found.append(f"{cell}:\n  {what}\n  said: {answer['said']}\n  python -m tests.crash.matrix {again}")
    return found


def sensible(points: Iterable[str]) -> set[tuple[str, str]]:
    """Every fault that can come at one of these steps."""
    return {(point, kind) for point in points for kind in KINDS if not senseless(point, kind)}


def tried_in(steps: Steps, seed: int) -> set[tuple[str, str]]:
    """The faults of the cells that are chosen for these scenarios."""
    return {(cell.fault.point, cell.fault.kind) for cell in chosen_cells(steps, seed)}


def census_of(scheme: str, *more: str) -> Steps:
    """What the scenarios of a kind of target take by `failpoints.py`, which the census of the real ones is held to."""
    points = dict.fromkeys([*sorted(HOME | FAILPOINTS[scheme]), *more], 1)
    return {name: points for name, each in SCENARIOS.items() if each.scheme == scheme and not each.next_is_served}


FAST = [
    ("data file: write", "full"),
    ("state log: write (permit)", "torn"),
    ("log entry: link", "kill"),
    ("log folder: sync", "torn"),
]


@pytest.mark.invariant(2)
def test_a_run_whose_disk_goes_wrong_is_put_right_by_the_next(place: Path) -> None:
    name = "run into parquet"
    with Crew(place, 1, nursery()) as crew:
        steps = crew.steps(name)
        assert set(steps) <= FAILPOINTS["parquet"] | HOME | SOMETIMES, "a step has no name in failpoints.py"
        cells = [cell_at(name, point, steps[point], kind, SEED) for point, kind in FAST]
        assert broken(crew, cells) == []


@pytest.mark.slow
@pytest.mark.invariant(2)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_fault_at_any_step_loses_doubles_or_leaves_anything(place: Path, scheme: str) -> None:
    with Crew(place, 1, nursery()) as crew:
        names = [name for name, each in SCENARIOS.items() if each.scheme == scheme and not each.next_is_served]
        steps = {name: crew.steps(name) for name in names}
        census = set().union(*steps.values()) - SOMETIMES
        assert {point for point in census if is_of_home(point)} == HOME
        assert {point for point in census if not is_of_home(point)} == FAILPOINTS[scheme]
        groups = [found["state log: sync (permit)"] for name, found in steps.items() if name.startswith("group of")]
        assert all(permits > 1 for permits in groups), "no group is filled"
        left = sensible(set().union(*steps.values())) - tried_in(steps, SEED)
        others = {(point, kind): scheme_of(scheme, point, kind, SEED) for point, kind in left}
        nowhere = {fault for fault, other in others.items() if fault[0] not in HOME | FAILPOINTS[other]}
        assert nowhere == set() and scheme not in others.values(), "a step came here and is tried nowhere"
        assert broken(crew, chosen_cells(steps, SEED)) == []


SERVED = [
    ("run into parquet, then a service", "log entry: link", "kill"),
    ("run into parquet, then a service", "state log: sync (permit)", "torn"),
    ("start after a permit for sqlite, then a service", "state log: write (record)", "kill"),
]


@pytest.mark.slow
@pytest.mark.invariant(2)
def test_a_service_puts_right_what_a_fault_left(place: Path) -> None:
    with Crew(place, 1, nursery()) as crew:
        cells = [cell_at(name, point, crew.steps(name)[point], kind, SEED) for name, point, kind in SERVED]
        assert broken(crew, cells) == []


def test_no_fault_at_a_step_that_targets_share_is_left_to_another_by_all_of_them() -> None:
    for seed in range(SEED, SEED + 10):
        tried = set().union(*(tried_in(census_of(scheme), seed) for scheme in SCHEMES))
        assert sensible(HOME.union(*FAILPOINTS.values())) - tried == set(), f"seed {seed}"


@pytest.mark.parametrize("point", sorted(SOMETIMES))
def test_a_step_that_is_not_taken_every_time_is_tried_in_whichever_target_it_came(point: str) -> None:
    for scheme in SCHEMES:
        assert sensible({point}) <= tried_in(census_of(scheme, point), SEED), f"it came in {scheme} alone"


def test_what_is_left_out_of_the_matrix_has_a_reason() -> None:
    everywhere = sorted(set().union(HOME, *FAILPOINTS.values()))
    left_out = {(point, kind) for point in everywhere for kind in ("kill", "full", "torn") if senseless(point, kind)}
    assert all(kind != "kill" for _point, kind in left_out)
    assert len(left_out) < len(everywhere)
