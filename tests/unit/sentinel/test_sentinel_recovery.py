"""What a start puts right, and what it leaves alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from builders import NOW_NS, HomeBuilder
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import PermittedEntry
from casparian_flow.sentinel.commit import commits
from casparian_flow.sentinel.recovery import Recovered, recover
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.log import parse_entry
from casparian_flow.store import outputs as output_store
from casparian_flow.store import tables

SINK = "parquet:///out"


class Swept:
    """A sink that remembers how often it was swept, and can be interrupted in it."""

    def __init__(self, interruptions: int = 0) -> None:
        self.interruptions = interruptions
        self.sweeps = 0

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        assert entries

    def sweep(self, keep: Sequence[Attempt]) -> int:
        self.interruptions -= 1
        if self.interruptions >= 0:
            raise KeyboardInterrupt
        self.sweeps += 1
        return len(keep)


@pytest.fixture
def past(tmp_path: Path) -> Iterator[HomeBuilder]:
    with HomeBuilder(tmp_path / "home") as builder:
        yield builder


def put_right(past: HomeBuilder, sink: Swept) -> Recovered:
    return recover(past.database, lambda _uri: sink, SINK, past.home.staging, NOW_NS)  # type: ignore[arg-type, return-value]


def test_a_recovery_that_was_interrupted_sweeps_the_next_time(past: HomeBuilder) -> None:
    location = past.location(past.source())
    job = past.job(location, past.version(location), past.parser(), "running")
    sink = Swept(interruptions=1)
    with pytest.raises(KeyboardInterrupt):
        put_right(past, sink)
    assert put_right(past, sink).abandoned == 1
    assert sink.sweeps == 1
    state = past.database.connection.execute(select(tables.jobs.c.state).where(tables.jobs.c.id == job)).scalar_one()
    assert state == JobState.ABORTED


def test_what_disappears_while_staging_is_cleared_is_as_good_as_removed(
    past: HomeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = past.home.staging / "job-1"
    folder.mkdir(parents=True)
    (folder / "rows").write_text("1")
    remove, times = shutil.rmtree, []

    def someone_is_faster(path: Path) -> None:
        times.append(path)
        if len(times) == 1:
            (folder / "rows").unlink()
            raise FileNotFoundError(str(folder / "rows"))
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", someone_is_faster)
    put_right(past, Swept())
    assert len(times) == 2
    assert not past.home.staging.exists()


def test_after_a_clean_end_no_sink_is_looked_at(past: HomeBuilder) -> None:
    location = past.location(past.source())
    past.job(location, past.version(location), past.parser(), "completed")
    sink = Swept()
    assert put_right(past, sink).abandoned == 0
    assert sink.sweeps == 0


def test_rows_that_are_about_to_be_taken_out_are_not_taken_out_twice(past: HomeBuilder) -> None:
    location = past.location(past.source())
    job = past.job(location, past.version(location), past.parser())
    past.rows(job, "sales", accepted=10)
    past.version(location, b"other bytes")
    with past.database.transaction() as connection:
        [entry] = commits.retire(connection, NOW_NS)
    assert parse_entry(entry.body, "").removed_jobs == (job,)
    with past.database.transaction() as connection:  # the sink was away: nothing is recorded
        assert commits.retire(connection, NOW_NS) == []
        assert len(output_store.unrecorded(connection)) == 1


def test_a_start_that_the_disk_cut_short_is_not_taken_for_a_later_sentinel(
    past: HomeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_right(past, Swept())
    with monkeypatch.context() as patched:
        patched.setattr("casparian_flow.sentinel.recovery.littered_sinks", lambda _connection: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            put_right(past, Swept())
    with past.database.transaction():  # raises SentinelSuperseded if it believes in a number that was never kept
        pass
