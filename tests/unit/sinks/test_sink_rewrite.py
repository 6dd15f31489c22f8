"""Files of a folder that are put together: the same rows in the same order, each job's counted, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.layout import NO_JOB, owner_of, table_folder
from casparian_flow.sinks.lineage import stamped_schema
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRows, entry_bytes
from casparian_flow.sinks.resolve import resolve_state
from casparian_flow.sinks.state import VisibleFile
from casparian_flow.sinks.uri import open_sink
from sink_builders import DIGEST, a_batch, commit, permitted, sealed, stamped
from typed_columns import COLUMNS, digest_of_rows


@pytest.fixture(params=["parquet", "csv"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> FolderSink:
    opened = open_sink(f"{request.param}://{tmp_path / 'out'}")
    assert isinstance(opened, FolderSink)
    return opened


def visible(sink: FolderSink, role: Role = Role.ACCEPTED) -> list[VisibleFile]:
    return list(resolve_state(table_folder(sink.root, role, "events"), role).files.values())


def data_files(sink: FolderSink) -> set[str]:
    return {path.name for path in sink.root.rglob("events_*")}


def put_in_place(sink: FolderSink, seq: int, old: Sequence[VisibleFile], new: Sequence[AddedFile]) -> None:
    entry = Entry(
        table="events", role=Role.ACCEPTED, seq=seq, action=EntryAction.RETIRE, contract_version=1, schema_hash=DIGEST,
        adds=tuple(new), removed_files=tuple(each.file.name for each in old),
    )  # fmt: skip
    sink.promote([PermittedEntry(sink=sink.uri, table="events", role=Role.ACCEPTED, seq=seq, body=entry_bytes(entry))])


def test_the_new_file_holds_the_rows_that_count_in_their_order(sink: FolderSink) -> None:
    for job in (1, 2, 3):
        commit(sink, job, job, [job * 10, job * 10 + 1])
    commit(sink, 4, 4, [7], removed_jobs=[2])
    old = visible(sink)
    before = sink.read("events", Role.ACCEPTED).read_all()

    [new] = sink.rewrite(1, "events", Role.ACCEPTED, old, DIGEST)

    assert new.jobs == (JobRows(job=1, rows=2), JobRows(job=3, rows=2), JobRows(job=4, rows=1))
    assert sink.read("events", Role.ACCEPTED).read_all() == before, "nobody sees a file that no commit names"
    put_in_place(sink, 5, old, [new])
    after = sink.read("events", Role.ACCEPTED).read_all()
    assert after == before
    assert after.schema.equals(before.schema, check_metadata=True)
    assert [len(sink.snapshot("events", Role.ACCEPTED, seq).files) for seq in (3, 4, 5)] == [3, 3, 1]
    assert sink.snapshot("events", Role.ACCEPTED).removed_jobs == ()


def test_every_type_comes_through_unaltered(sink: FolderSink) -> None:
    for job, (start, stop) in enumerate(((0, 2), (2, 4), (4, 9)), 1):
        columns = {name: values.slice(start, stop - start) for name, values in COLUMNS.items()}
        longest = max(map(len, columns.values()))
        batch = pa.record_batch(
            {
                name: pa.concat_arrays([column, pa.nulls(longest - len(column), column.type)])
                for name, column in columns.items()
            }
        )
        sink.promote([permitted(sealed(sink, job, [batch]), job, job)])
    before, old = sink.read("events", Role.ACCEPTED).read_all(), visible(sink)
    put_in_place(sink, 4, old, sink.rewrite(1, "events", Role.ACCEPTED, old, DIGEST))
    after = sink.read("events", Role.ACCEPTED).read_all()
    assert after.schema.equals(before.schema, check_metadata=True)
    assert digest_of_rows(after) == digest_of_rows(before)


def test_rows_of_many_jobs_between_each_other_are_counted_in_every_part(
    sink: FolderSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(a_batch().schema))
    for number in range(60):
        staged.write(stamped(a_batch([number]), 1 + number % 3))
    [whole] = staged.seal(DIGEST, DIGEST).files
    jobs = tuple(JobRows(job=job, rows=20 if job < 4 else 0) for job in (1, 2, 3, 4))
    file = AddedFile(name=whole.name, size=whole.size, digest=whole.digest, rows=60, jobs=jobs)
    put_in_place(sink, 1, [], [file])
    before = sink.read("events", Role.ACCEPTED).read_all()
    monkeypatch.setattr(type(sink._format), "rows_at_once", 7)
    monkeypatch.setattr(type(sink._format), "part_bytes", 1)

    new = sink.rewrite(1, "events", Role.ACCEPTED, visible(sink), DIGEST)

    assert [each.rows for each in new] == [7] * 8 + [4]
    assert [part.rows for part in new[0].jobs] == [3, 2, 2]
    assert new[-1].jobs[-1] == JobRows(job=4, rows=0), "a job without rows stays one of those behind the table"
    put_in_place(sink, 2, visible(sink), new)
    assert sink.read("events", Role.ACCEPTED).read_all() == before


def test_a_file_with_other_rows_than_its_commit_says_is_refused(sink: FolderSink) -> None:
    commit(sink, 1, 1, [1, 2, 3])
    commit(sink, 2, 2, [4])
    files, before = visible(sink), data_files(sink)
    wrong = AddedFile(
        **{name: getattr(files[0].file, name) for name in ("name", "size", "digest", "rows")},
        jobs=(JobRows(job=1, rows=2), JobRows(job=9, rows=1)),
    )
    with pytest.raises(VerificationFailed, match="holds other rows than its commit says") as raised:
        sink.rewrite(1, "events", Role.ACCEPTED, [files[1], VisibleFile(wrong, {1, 9})], DIGEST)
    assert raised.value.why == "job 1 has 3 rows in it, and 2 by its commit"
    assert data_files(sink) == before


@pytest.mark.parametrize("damage", ["altered", "cut", "missing"])
def test_a_damaged_file_gets_no_new_digest(sink: FolderSink, damage: str) -> None:
    commit(sink, 1, 1, [1, 2, 3])
    commit(sink, 2, 2, [4])
    files = visible(sink)
    path = table_folder(sink.root, Role.ACCEPTED, "events").path / files[1].file.name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        at = len(data) // 2
        path.write_bytes(data[:at] + (bytes([data[at] ^ 1]) + data[at + 1 :] if damage == "altered" else b""))
    before = data_files(sink)
    with pytest.raises(VerificationFailed, match="is not as it was sealed"):
        sink.rewrite(1, "events", Role.ACCEPTED, files, DIGEST)
    assert data_files(sink) == before


def test_files_with_other_columns_are_not_put_together(tmp_path: Path) -> None:
    sink = open_sink(f"parquet://{tmp_path}")
    assert isinstance(sink, FolderSink)
    commit(sink, 1, 1, [1])
    sink.promote([permitted(sealed(sink, 2, [pa.record_batch({"n": pa.array([1.5])})]), 2, 2)])
    with pytest.raises(VerificationFailed, match="other columns"):
        sink.rewrite(1, "events", Role.ACCEPTED, visible(sink), DIGEST)
    assert len(data_files(sink)) == 2


def test_a_sweep_leaves_what_is_being_rewritten_and_its_number_finds_it(sink: FolderSink) -> None:
    commit(sink, 1, 1, [1])
    commit(sink, 2, 2, [2])
    [first] = sink.rewrite(1, "events", Role.ACCEPTED, visible(sink), DIGEST)
    [second] = sink.rewrite(12, "events", Role.ACCEPTED, visible(sink), DIGEST)
    sealed(sink, 3, [a_batch([3])])
    assert owner_of("events", Path(second.name).name) == Attempt(job=NO_JOB, attempt=12)
    assert sink.sweep([]) == 1
    sink.discard_rewritten("events", range(2, 13))
    assert {first.name} == {f"v1/{name}" for name in data_files(sink) if name.startswith("events_0.")}
    sink.discard_rewritten("events", range(1, 2))
    sink.discard_rewritten("events", range(1, 2))
    sink.discard_rewritten("nothing", range(1, 2))
    assert len(data_files(sink)) == 2
    assert sink.read("events", Role.ACCEPTED).read_all()["n"].to_pylist() == [1, 2]
