"""The laws of the fuzz targets hold for their seeds and for blind changes of them; a fuzzer looks further."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .search import MISSING, is_there, search
from .target import TARGETS, changed, load_target

BLIND = {"frames": 150, "delimited": 60, "manifest": 60, "log_entry": 300, "messages": 400}
"""How many blind changes the fast suite tries."""
SECONDS = 4
"""How long each target is searched; `python -m tests.fuzz` searches for as long as it is told to."""


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_blind_changes_of_them_keep_the_law(name: str) -> None:
    target = load_target(name)
    seeds = target.seeds()
    for data in seeds:
        target.check(data)
    for seed in range(BLIND[name]):
        chance = random.Random(seed)
        data = chance.choice(seeds)
        for _ in range(chance.randint(1, 3)):
            data = changed(target, data, chance)
        try:
            target.check(data)
        except BaseException as exc:
            exc.add_note(f"{name}: blind change {seed}: {data!r:.2000}")
            raise


@pytest.mark.slow
@pytest.mark.skipif(not is_there(), reason=MISSING)
@pytest.mark.parametrize("name", TARGETS)
def test_a_fuzzer_finds_nothing_that_breaks_the_law(name: str, tmp_path: Path) -> None:
    found = search(name, seconds=SECONDS, seed=1, crashes=tmp_path)
    assert found.broken == [], found.said
    assert found.tried > 0
