"""Keys of a table that were committed: each job is read once, and none whose rows are gone counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core.errors import NotFound, RuleInvalid
from casparian_flow.core.lineage import JOB_ID
from casparian_flow.core.outputs import Role
from casparian_flow.schema.seen_keys import key_column
from casparian_flow.sinks.base import Snapshot
from casparian_flow.worker.known_keys import MOST_TABLES, KnownTables


@dataclass
class Rows:
    """The visible rows of a sink, by job; which jobs' keys were asked for."""

    uri: str = "rows:"
    seq: int = 0
    jobs: dict[int, list[str]] = field(default_factory=dict)
    asked: list[set[int]] = field(default_factory=list)

    def commit(self, job: int, *values: str) -> None:
        self.jobs[job] = list(values)
        self.seq += 1

    def snapshot(self, table: str, role: Role, as_of: int | None = None) -> Snapshot:
        return Snapshot(files=(), removed_jobs=(), jobs=frozenset(self.jobs), rows=0, seq=self.seq)

    def read(
        self, table: str, role: Role, as_of: int, columns: Sequence[str], jobs: Collection[int] | None = None
    ) -> list[pa.RecordBatch]:
        assert jobs is not None, "the rows of every job were read"
        if columns != ["c", JOB_ID]:
            raise NotFound("no such column")
        self.asked.append(set(jobs))
        return [
            pa.record_batch({"c": pa.array(self.jobs[job]), JOB_ID: pa.array([job] * len(self.jobs[job]), pa.int64())})
            for job in jobs
        ]


@pytest.fixture
def known(tmp_path: Path) -> Callable[..., Any]:
    """Which of the numbers from 0 to 9 are known in the sink."""
    tables = KnownTables()

    def ask(sink: Any, *, table: str = "t", column: str = "c", without: Collection[int] = ()) -> set[int]:
        found = tables.keys(sink, table, (column,), ("int64",), without, tmp_path)
        return {int(number) for number in range(10) if found.has(key_column([pa.array([number])]).digests)[0]}

    return ask


def test_each_job_is_read_once(known: Callable[..., Any]) -> None:
    sink = Rows()
    assert known(sink) == set()
    sink.commit(1, "1", "2")
    assert known(sink) == {1, 2}
    sink.commit(2, "2", "3")
    assert known(sink) == {1, 2, 3}
    assert sink.asked == [{1}, {2}]


def test_rows_that_went_out_or_go_out_with_the_job_are_not_known(known: Callable[..., Any]) -> None:
    sink = Rows()
    sink.commit(1, "1")
    sink.commit(2, "2")
    assert known(sink) == {1, 2}
    assert known(sink, without=[2]) == {1}
    assert known(sink) == {1, 2}
    del sink.jobs[1]
    assert known(sink) == {2}


def test_files_that_are_read_again_one_by_one_have_each_job_read_once(known: Callable[..., Any]) -> None:
    sink = Rows()
    for job in range(6):
        sink.commit(job, str(job), "9")  # what several jobs brought stays when one of them goes
    for job in range(6):
        assert known(sink, without=[job]) == {*range(6), 9} - {job}
        del sink.jobs[job]
        sink.commit(10 + job, str(job), "9")
    assert known(sink) == {*range(6), 9}
    assert [job for jobs in sink.asked for job in sorted(jobs)] == [*range(6), *range(10, 16)]


def test_keys_that_were_handed_out_stay_as_they_were(known: Callable[..., Any], tmp_path: Path) -> None:
    sink: Any = Rows()
    sink.commit(1, "1")
    tables = KnownTables()
    before = tables.keys(sink, "t", ("c",), ("int64",), (), tmp_path)
    sink.commit(2, "2")
    after = tables.keys(sink, "t", ("c",), ("int64",), (), tmp_path)
    two = key_column([pa.array([2])]).digests
    assert (before.seq, before.has(two)[0], after.seq, after.has(two)[0]) == (1, False, 2, True)


def test_only_a_few_tables_are_kept(known: Callable[..., Any]) -> None:
    sink = Rows()
    sink.commit(1, "1")
    for table in range(MOST_TABLES + 1):
        assert known(sink, table=f"t{table}") == {1}
    assert known(sink, table=f"t{MOST_TABLES}") == {1}
    assert len(sink.asked) == MOST_TABLES + 1
    assert known(sink, table="t0") == {1}
    assert len(sink.asked) == MOST_TABLES + 2


def test_a_table_without_the_columns_is_named(known: Callable[..., Any]) -> None:
    sink = Rows()
    sink.commit(1, "1")
    with pytest.raises(RuleInvalid, match="t has no columns d"):
        known(sink, column="d")
