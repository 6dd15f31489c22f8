"""Entries of the quarantine along their life: what moves them, what never does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import select, update

from builders import NOW_NS, HomeBuilder
from casparian_flow.core.quarantine import ENTRY_MOVES, TRIAGE, EntryState
from casparian_flow.store import causes, outputs, tables
from casparian_flow.store.views import quarantine as view

DAY = 86_400_000_000_000


@pytest.fixture
def past(tmp_path: Path) -> Iterator[HomeBuilder]:
    with HomeBuilder(tmp_path / "home") as builder:
        yield builder


def states_of(past: HomeBuilder, job: int) -> list[tuple[str, int | None]]:
    query = select(tables.quarantine.c.state, tables.quarantine.c.closed_by_job).where(
        tables.quarantine.c.job_id == job
    )
    found = [(row.state, row.closed_by_job) for row in past.database.connection.execute(query.order_by("id"))]
    past.database.connection.commit()
    return found


class Reader:
    """One file that is read again and again, its rejected rows as told."""

    def __init__(self, past: HomeBuilder, name: str = "a.csv", data: bytes = b"a") -> None:
        self.past = past
        self.location = past.location(past.source(f"/{name}".encode()), name)
        self.version = past.version(self.location, data)

    def read(self, parser: int, rows: int, **changes: object) -> int:
        past = self.past
        job = past.job(self.location, self.version, parser, finished_at_ns=NOW_NS)
        past.rows(job, quarantined=rows)
        with past.database.transaction() as connection:
            sink = outputs.superseded_by(connection, "parquet:///out", [job], [self._hash(connection)], "csv")
            outputs.supersede(connection, "parquet:///out", "sales", [row.job_id for row in sink])
        if rows:
            past.quarantine(job, rows, **changes)
        with past.database.transaction() as connection:
            causes.close_read_again(connection, [job], NOW_NS)
        return job

    def _hash(self, connection: object) -> str:
        query = select(tables.versions.c.source_hash).where(tables.versions.c.id == self.version)
        return str(connection.execute(query).scalar_one())  # type: ignore[attr-defined]


def test_rows_that_were_read_again_are_closed_by_the_job_that_did(past: HomeBuilder) -> None:
    parser = past.parser()
    file = Reader(past)
    old = file.read(parser, 2)
    new = file.read(parser, 0)
    assert states_of(past, old) == [("replayed", new)]


def test_a_decision_goes_on_where_just_as_many_rows_are_rejected_and_a_fix_that_failed_does_not(
    past: HomeBuilder,
) -> None:
    parser = past.parser()
    for at, (state, rows, after) in enumerate(
        [("triaged", 2, "triaged"), ("triaged", 3, "open"), ("fix_ready", 2, "open"), ("waived", 2, "waived")]
    ):
        file = Reader(past, f"{at}.csv", f"bytes {at}".encode())
        old = file.read(parser, 2)
        with past.database.transaction() as connection:
            connection.execute(update(tables.quarantine).where(tables.quarantine.c.job_id == old).values(state=state))
        new = file.read(parser, rows)
        assert states_of(past, old) == [("replayed", new)]
        assert states_of(past, new) == [(after, None)]


def test_another_parser_that_reads_the_same_bytes_closes_nothing(past: HomeBuilder) -> None:
    file = Reader(past)
    old = file.read(past.parser(), 2)
    other = past.parser("other")
    job = past.job(file.location, file.version, other, finished_at_ns=NOW_NS)
    with past.database.transaction() as connection:
        causes.close_read_again(connection, [job], NOW_NS)
    assert states_of(past, old) == [("open", None)]


def test_a_cause_is_first_and_last_seen_when_jobs_met_it_whatever_became_of_their_rows(past: HomeBuilder) -> None:
    parser = past.parser()
    days = {"one": 0, "two": 3, "three": 9}
    for name, day in days.items():
        location = past.location(past.source(f"/{name}".encode()), name)
        version = past.version(location, name.encode())
        job = past.job(location, version, parser, finished_at_ns=NOW_NS + day * DAY)
        past.quarantine(job, 2, is_current=name != "one", state="replayed" if name == "one" else "open")
    with past.database.transaction() as connection:
        (group,) = view.list_groups(connection)
    assert (group["rows"], group["files"]) == (4, 2)
    assert (group["first_seen_ns"], group["last_seen_ns"]) == (NOW_NS, NOW_NS + 9 * DAY)


def test_two_causes_that_share_a_short_name_are_kept_apart_but_for_their_owner(past: HomeBuilder) -> None:
    location = past.location(past.source())
    job = past.job(location, past.version(location), past.parser())
    past.quarantine(job, 2, reference="deadbeef")
    past.quarantine(job, 3, reference="deadbeef", column_name="other")
    with past.database.transaction() as connection:
        assert [group["rows"] for group in view.list_groups(connection)] == [3, 2]


class Life(RuleBasedStateMachine):
    """Whatever people do and whatever is read again, an entry only takes steps that it may."""

    files = Bundle("files")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.past = HomeBuilder(Path(self.folder.name, "home"))
        self.parser = self.past.parser()
        self.seen: dict[int, str] = {}

    @rule(target=files, rows=st.integers(1, 3))
    def a_file_comes(self, rows: int) -> Reader:
        name = f"{len(self.seen)}.csv"
        file = Reader(self.past, name, name.encode())
        file.read(self.parser, rows)
        return file

    @rule(file=files, rows=st.integers(0, 3))
    def it_is_read_again(self, file: Reader, rows: int) -> None:
        file.read(self.parser, rows)

    @rule(to=st.sampled_from(TRIAGE))
    def somebody_looks(self, to: EntryState) -> None:
        with self.past.database.transaction() as connection:
            for group in view.list_groups(connection):
                causes.move(connection, group["group"], group["table"], to, [each for each in TRIAGE if each != to])

    @rule()
    def a_fix_is_made(self) -> None:
        with self.past.database.transaction() as connection:
            for row in connection.execute(select(tables.quarantine)).all():
                causes.make_ready(connection, row.job_id, row.table_name, row.code, row.column_name, row.shape)

    @invariant()
    def every_step_is_one_that_may_be_taken(self) -> None:
        query = select(tables.quarantine.c.id, tables.quarantine.c.state, tables.quarantine.c.is_current)
        for number, state, is_current in self.past.database.connection.execute(query).all():
            before = self.seen.get(number, state)
            assert state == before or EntryState(state) in ENTRY_MOVES[EntryState(before)]
            assert is_current or state == EntryState.REPLAYED
            self.seen[number] = state
        self.past.database.connection.commit()

    def teardown(self) -> None:
        self.past.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=8, stateful_step_count=10)
