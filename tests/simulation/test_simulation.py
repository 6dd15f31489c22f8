"""In worlds of faults no job is ever visible twice, in parts or against the store; wrong protocols are found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mutants import MUTANTS
from .real_sinks import RealSinks
from .sinks import Violation
from .worlds import run_world


@pytest.mark.invariant(2)
@pytest.mark.parametrize("first", [1, 1001])
def test_no_order_of_faults_breaks_a_law(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 6):
        run_world(seed, 300, tmp_path)


@pytest.mark.slow
@pytest.mark.invariant(2)
@pytest.mark.parametrize("first", [2000, 3000])
def test_no_long_order_of_faults_breaks_a_law(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 30):
        run_world(seed, 800, tmp_path)


@pytest.mark.slow
@pytest.mark.invariant(2)
@pytest.mark.parametrize("first", [1, 11])
def test_real_tables_hold_every_row_of_a_completed_job_once(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 4):
        root = tmp_path / str(seed)
        run_world(seed, 300, tmp_path, sinks=lambda chance, root=root: RealSinks(chance, root))  # type: ignore[misc]


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_wrong_protocol_is_found_out(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    with mutant.at_work() as build, pytest.raises(Violation, match="seed"):
        for seed in range(mutant.first, mutant.first + mutant.worlds):
            run_world(seed, mutant.steps, tmp_path, build)


def test_a_seed_tells_everything(tmp_path: Path) -> None:
    told: list[list[str]] = [[], []]
    steps = [run_world(7, 200, tmp_path, tell=lines.append) for lines in told]

    assert steps[0] == steps[1]
    assert told[0] == told[1] != []
