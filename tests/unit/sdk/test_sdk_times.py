"""Times of log lines."""

from __future__ import annotations

import calendar
import datetime as dt

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.sdk.times import MONTHS, days, fixed_width, fraction, moments, month, number, timestamps


@settings(max_examples=100, deadline=None)
@given(st.integers(1600, 2300), st.integers(0, 14), st.integers(0, 33))
def test_a_day_exists_when_the_calendar_says_so(year: int, month_number: int, day: int) -> None:
    found, exists = days(np.array([year]), np.array([month_number]), np.array([day]))
    in_range = 1678 <= year < 2262 and 1 <= month_number <= 12
    expected = in_range and 1 <= day <= calendar.monthrange(year, month_number)[1]
    assert bool(exists[0]) == expected
    if expected:
        assert int(found[0]) == (dt.date(year, month_number, day) - dt.date(1970, 1, 1)).days


def test_month_names_are_read_and_others_are_none() -> None:
    chars = fixed_width(pa.array([*MONTHS, "MMM", "jan", "", "Ja"]), 3)
    assert month(chars, 0).tolist() == [*range(1, 13), 0, 0, 0, 0]


def test_fractions_may_have_any_number_of_digits() -> None:
    chars = fixed_width(pa.array(["1", "123456789", "", "25 rest", "0001"]), 9)
    assert fraction(chars, 0).tolist() == [100_000_000, 123_456_789, 0, 250_000_000, 100_000]


def test_a_sliced_array_is_read_from_its_own_start() -> None:
    assert number(fixed_width(pa.array(["11", "22", " 3"]).slice(1), 2), 0, 2).tolist() == [22, 3]


def test_a_time_that_does_not_exist_is_null() -> None:
    clock = [np.array([23, 24, 23]), np.array([59, 0, 60]), np.array([60, 0, 0])]
    column = timestamps(*moments(np.array([0, 0, 0]), *clock))
    assert column.cast(pa.int64()).to_pylist() == [86400 * 10**9, None, None]
