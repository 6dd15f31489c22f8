"""Profiles where counting every value would cost too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.errors import NotFound, QueryTimedOut
from casparian_flow.operations.doing.query import profile
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.query.profile import ColumnProfile, ProfileTables
from casparian_flow.settings import Home, Settings
from landed_home import landed_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return landed_home(tmp_path_factory.mktemp("landed") / "home")


def profiled(home: Home, **request: object) -> dict[str, ColumnProfile]:
    with open_reading(home, Settings(), Path("/")) as reading:
        return {each.column: each for each in profile.profile(reading, ProfileTables(**request)).columns}


@pytest.mark.slow
def test_many_distinct_values_are_estimated_and_said_to_be_while_counts_stay_exact(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = profiled(home, table="sales")
    monkeypatch.setattr(profile, "MOST_EXACT", 1)
    monkeypatch.setattr(profile, "AT_ONCE", 1)  # and each column by a query of its own
    found = profiled(home)
    assert [each.is_exact for each in found.values()] == [False, False]
    assert [each.is_exact for each in exact.values()] == [True, True]
    assert (found["n"].rows, found["n"].count, found["n"].min, found["n"].max) == (3, 3, "0", "2")
    assert dict(zip(found["n"].top, found["n"].top_counts, strict=True)) == {"0": 1, "1": 1, "2": 1}


def test_a_table_that_is_not_there_has_no_profile(home: Home) -> None:
    with pytest.raises(NotFound):
        profiled(home, table="nothing")


def test_a_profile_ends_with_its_time(home: Home) -> None:
    with pytest.raises(QueryTimedOut):
        profiled(home, table="sales", seconds=0.001)
