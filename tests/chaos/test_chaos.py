"""A sentinel and three workers under a random killer leave what an undisturbed run leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from .trial import run_trial

pytestmark = [pytest.mark.slow, pytest.mark.invariant(2)]


@pytest.mark.parametrize(("seed", "schemes"), [(3, ("parquet", "sqlite")), (16, ("duckdb", "csv"))])
def test_nothing_is_lost_or_there_twice_whatever_is_killed(
    tmp_path: Path, seed: int, schemes: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    print(f"python -m tests.chaos --seed {seed} --seconds 8 --files 3 --sinks {','.join(schemes)}")
    run_trial(tmp_path, seed, 8, schemes=schemes, files=3, tell=print)
