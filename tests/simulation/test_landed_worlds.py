"""Where rows land in real files no order of faults loses, doubles or leaves anything; wrong sinks are found out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from casparian_flow.sinks import database, folder, sweep
from casparian_flow.sinks.base import Attempt

from .landed_world import run_landed_world
from .sinks import Violation

STEPS = 300


@pytest.mark.invariant(2)
@pytest.mark.parametrize(("first", "worlds"), [(1, 6), pytest.param(101, 40, marks=pytest.mark.slow)])
def test_real_targets_hold_the_rows_of_completed_jobs_and_nothing_else(first: int, worlds: int, tmp_path: Path) -> None:
    deaths = sum(run_landed_world(seed, STEPS, tmp_path)[1] for seed in range(first, first + worlds))
    assert deaths, "nobody died inside a sink"


def no_sweep(_self: object, _keep: Sequence[Attempt]) -> int:
    return 0


def sweep_of_everything(self: folder.FolderSink, _keep: Sequence[Attempt]) -> int:
    return REAL_SWEEP(self, [])


REAL_SWEEP = folder.FolderSink.sweep


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        pytest.param(folder.FolderSink, "sweep", no_sweep, marks=pytest.mark.slow),
        (folder.FolderSink, "sweep", sweep_of_everything),
        (database, "remove_data_files", lambda _folder, _names: None),
        pytest.param(sweep, "remove_data_files", lambda _folder, _names: None, marks=pytest.mark.slow),
    ],
)
def test_a_sink_that_tidies_wrongly_is_found_out(owner: object, name: str, wrong: object, tmp_path: Path) -> None:
    with patch.object(owner, name, wrong), pytest.raises(Violation, match="--sinks --seed"):
        for seed in range(1, 40):
            run_landed_world(seed, STEPS, tmp_path)


def test_a_seed_tells_everything_of_a_landed_world(tmp_path: Path) -> None:
    told: list[list[str]] = [[], []]
    for at, lines in enumerate(told):
        (tmp_path / str(at)).mkdir()
        run_landed_world(7, 200, tmp_path / str(at), tell=lines.append)
    assert told[0] == told[1] != []
