"""Orders are as long as a parser is quick."""

from __future__ import annotations

import math

import pytest

from casparian_flow.sentinel.queue.pace import GROUP_FILES, GROUP_SECONDS, Pace


def test_an_order_lasts_a_few_seconds_by_what_files_took_lately() -> None:
    pace = Pace()
    assert pace.files(1, shares_process=True) == GROUP_FILES
    pace.took(1, GROUP_SECONDS / 10)
    assert pace.files(1, shares_process=True) == 10
    pace.took(1, 60.0)
    assert pace.files(1, shares_process=True) == 1
    for _ in range(40):
        pace.took(1, 0.0)
    assert pace.files(1, shares_process=True) == GROUP_FILES
    assert pace.files(2, shares_process=True) == GROUP_FILES, "each parser has its own"


def test_a_parser_of_which_nothing_is_known_gets_twice_as_many_every_time() -> None:
    pace = Pace()
    assert [pace.files(1, shares_process=False) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 64, GROUP_FILES]


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, -1.0])
def test_what_no_clock_says_changes_nothing(seconds: float) -> None:
    pace = Pace()
    pace.took(1, seconds)
    assert pace.files(1, shares_process=True) == GROUP_FILES
