"""Tables as of a time: the rows that a reader saw then, or a refusal that says which moments can be meant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import HomeBuilder
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.outputs import Role
from casparian_flow.core.times import moments_meant, rfc3339
from casparian_flow.operations.doing.query.moments import entries_at
from casparian_flow.sinks.log import EntryAction
from casparian_flow.sinks.uri import open_sink
from table_past import TABLE, Past

SECOND = 1_000_000_000
NOON = moments_meant("2026-03-02T12:00:00Z")[0]


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    with HomeBuilder(tmp_path / "home") as home:
        past = Past(home, open_sink(f"parquet://{tmp_path}/out"), home.location(home.source()), home.parser())
        past.now_ns = NOON - 1
        past.begin()
        yield past
    monkeypatch.undo()
    time.tzset()


def seqs_at(past: Past, named: str, now_ns: int = NOON + 10**15) -> dict[Role, int]:
    with past.home.database.transaction() as connection:
        found = entries_at(connection, named, now_ns)
    return {role: found.get((past.sink.uri, TABLE, role), 0) for role in Role}


def test_a_time_shows_what_was_there_then_to_the_nanosecond(past: Past) -> None:
    moments = {}
    for gone in ((), (), (0,), ()):
        past.now_ns += 600 * SECOND
        past.commit([(2, 1)], [sorted(past.live)[at] for at in gone], EntryAction.APPEND)
        moments[past.now_ns] = past.seqs[max(past.shown)]
    for at_ns, seqs in moments.items():
        assert seqs_at(past, rfc3339(at_ns)) == seqs_at(past, rfc3339(at_ns + 1)) == seqs
        assert seqs_at(past, rfc3339(at_ns - 1)) != seqs
    assert seqs_at(past, rfc3339(NOON)) == dict.fromkeys(Role, 0)
    assert seqs_at(past, rfc3339(past.now_ns).replace("Z", "+00:00")) == past.seqs[max(past.shown)]


def test_a_text_that_can_be_read_in_two_ways_is_refused_with_both_unless_they_show_the_same(past: Past) -> None:
    past.commit([(2, 0)], (), EntryAction.APPEND)  # at noon in UTC, one o'clock in Berlin
    with pytest.raises(UsageError, match="two ways") as caught:
        seqs_at(past, "2026-03-02")
    assert caught.value.why == "2026-03-01T23:00:00Z or 2026-03-03T00:00:00Z, in UTC"
    with pytest.raises(UsageError, match="two ways"):
        seqs_at(past, "2026-03-02T12:30:00")
    assert seqs_at(past, caught.value.fix.removeprefix("--as-of ")) == past.seqs[max(past.shown)]
    assert seqs_at(past, "2026-03-02T14:30:00") == seqs_at(past, "2026-03-03") == past.seqs[max(past.shown)]
    assert seqs_at(past, "2026-03-01") == dict.fromkeys(Role, 0)


def test_a_word_is_answered_with_what_a_moment_can_be_named_by(past: Past) -> None:
    past.commit([(2, 0)], (), EntryAction.APPEND)
    with pytest.raises(UsageError, match="'yesterday' is no moment") as caught:
        seqs_at(past, "yesterday", now_ns=NOON)
    assert all(word in caught.value.why for word in ("snapshot", "job", "time"))
    assert caught.value.fix.startswith("write a time as 2026-03-01 or 2026-03-01T10:00:00Z")


def test_what_is_yet_to_come_is_refused_and_digits_are_no_day(past: Past) -> None:
    past.commit([(2, 0)], (), EntryAction.APPEND)
    with pytest.raises(UsageError, match="future"):
        seqs_at(past, "2026-03-03", now_ns=NOON + SECOND)
    assert seqs_at(past, "2026-03-02T13:00:00Z", now_ns=NOON + 7200 * SECOND) == past.seqs[max(past.shown)]
    with pytest.raises(NotFound) as caught:
        seqs_at(past, "20260302")
    assert "2026-03-02" in caught.value.why
