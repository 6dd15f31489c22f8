"""Moments are written in one way and read in several."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.core.errors import UsageError
from casparian_flow.core.times import parse_since, rfc3339

NOW_NS = 1_772_445_600_000_000_000


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (NOW_NS, "2026-03-02T10:00:00Z"),
        (NOW_NS + 500_000_000, "2026-03-02T10:00:00.5Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        (-(2**63), "1677-09-21T00:12:43.145224192Z"),
    ],
)
def test_a_moment_has_as_many_digits_as_it_needs(at, text):
    assert rfc3339(at) == text


@given(st.integers(-(2**63) // 1000, (2**63 - 1) // 1000).map(lambda micros: micros * 1000))
def test_a_written_moment_is_read_as_the_same(at):
    assert parse_since(rfc3339(at), NOW_NS) == at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", "2026-03-02T08:30:00Z"),
        ("24h", "2026-03-01T10:00:00Z"),
        ("2w", "2026-02-16T10:00:00Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00Z"),
    ],
)
def test_a_moment_may_be_a_distance_a_date_or_a_time(text, expected):
    assert rfc3339(parse_since(text, NOW_NS)) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "5", "5y", "-5d", "2026-13-01", "9" * 20 + "d", "٣d", "2026-03-01T25:00"]
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(UsageError):
        parse_since(text, NOW_NS)


def test_the_earliest_date_is_still_a_moment():
    assert parse_since(datetime.min.date().isoformat(), NOW_NS) < 0
