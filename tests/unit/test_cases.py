"""The list of cases that this user made or used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casparian_flow.cases import choose, known_cases, remember


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASPARIAN_CASES", str(tmp_path / "kept" / "cases.toml"))


def test_cases_made_at_the_same_time_are_all_on_the_list(tmp_path: Path) -> None:
    homes = [tmp_path / f"case {number}" / ".casparian" for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(remember, homes))
    assert set(known_cases().homes) == set(homes)


def test_a_case_is_listed_once_and_choosing_one_keeps_the_others(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for home in (one, one):
        remember(home)
    choose(other)
    assert (known_cases().homes, known_cases().chosen) == ((one, other), other)
    choose(None)
    assert (known_cases().homes, known_cases().chosen) == ((one, other), None)
