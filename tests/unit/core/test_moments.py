"""Moments as people write them: one with a zone, as many as can be meant without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from casparian_flow.core.errors import UsageError
from casparian_flow.core.times import moments_meant, rfc3339


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def meant(text: str) -> list[str]:
    return [rfc3339(moment) for moment in moments_meant(text)]


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("text", "moments"),
    [
        ("2026-03-02T10:00:00Z", ["2026-03-02T10:00:00Z"]),
        ("2026-03-02t10:00:00.123456789z", ["2026-03-02T10:00:00.123456789Z"]),
        ("2026-03-02 10:00:00+05:30", ["2026-03-02T04:30:00Z"]),
        ("2026-03-02T10:00", ["2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"]),
        ("2026-10-25T02:30:00", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]),
        (
            "2026-03-02",
            ["2026-03-01T23:00:00Z", "2026-03-02T00:00:00Z", "2026-03-02T23:00:00Z", "2026-03-03T00:00:00Z"],
        ),
    ],
)
def test_a_text_means_every_moment_that_it_can(text: str, moments: list[str]) -> None:
    assert meant(text) == moments


def test_what_is_printed_is_read_back_to_the_nanosecond() -> None:
    for at_ns in (0, 1, 1_772_445_600_123_456_789, int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 10**9 + 5):
        if at_ns > 10**18:
            assert moments_meant(rfc3339(at_ns)) == [at_ns]


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-02-30", "2026-03-02T25:00:00Z", "2026-3-2", "20260302", "9999-01-01", "0001-01-01", "1-1-1",
     "2026-03-02T10:00:00+99:99", "2026-03-02T10:00:00.1234567890Z", "-", "٢٠٢٦-03-02"],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        moments_meant(text)
