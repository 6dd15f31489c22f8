"""The promises of `sinks.base.Sink`, for every sink. A new sink joins with one line in `SINKS`."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from casparian_flow.core.errors import (
    InvariantBroken,
    LogConflict,
    NotFound,
    SinkUnavailable,
    UsageError,
    VerificationFailed,
)
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.sinks.lineage import LINEAGE_FIELDS, stamped_schema
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRows, entry_bytes
from casparian_flow.sinks.uri import open_sink
from sink_builders import DIGEST, a_batch, commit, permitted, sealed, stamped
from typed_columns import COLUMNS, digest_of_rows

SINKS: dict[str, Callable[[Path], str]] = {
    "parquet": lambda folder: f"parquet://{folder}/out",
    "csv": lambda folder: f"csv://{folder}/out",
    "duckdb": lambda folder: f"duckdb://{folder}/out.duckdb",
    "sqlite": lambda folder: f"sqlite://{folder}/out.db",
}


@pytest.fixture(params=SINKS)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Sink:
    return open_sink(SINKS[request.param](tmp_path))


def rows_of(sink: Sink, table: str = "events", role: Role = Role.ACCEPTED, as_of: int | None = None) -> pa.Table:
    return sink.read(table, role, as_of).read_all()


def numbers(sink: Sink, as_of: int | None = None) -> list[int]:
    return rows_of(sink, as_of=as_of).column("n").to_pylist()


def everything_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_visible_before_it_is_promoted(sink: Sink) -> None:
    output = sealed(sink, 1, [a_batch()])

    assert sink.snapshot("events", Role.ACCEPTED).files == ()
    assert sink.tables(Role.ACCEPTED) == []

    sink.promote([permitted(output, 1, 1)])

    assert sink.tables(Role.ACCEPTED) == ["events"]
    assert sink.snapshot("events", Role.ACCEPTED).rows == 3
    assert numbers(sink) == [1, 2, 3]


@pytest.mark.invariant(2)
def test_promoting_twice_changes_nothing(sink: Sink, tmp_path: Path) -> None:
    entry = permitted(sealed(sink, 1, [a_batch()]), 1, 1)
    sink.promote([entry])
    before = (everything_under(tmp_path), sink.snapshot("events", Role.ACCEPTED))

    sink.promote([entry])
    open_sink(sink.uri).promote([entry])

    assert (everything_under(tmp_path), sink.snapshot("events", Role.ACCEPTED)) == before
    assert numbers(sink) == [1, 2, 3]


def test_outputs_and_quarantine_of_a_job_stand_beside_each_other(sink: Sink) -> None:
    first = sealed(sink, 1, [a_batch([1])], table="logins")
    second = sealed(sink, 1, [a_batch([2])], table="files")
    rejected = sealed(sink, 1, [a_batch([3])], table="logins", role=Role.QUARANTINE)

    sink.promote([permitted(output, 1, 1) for output in (first, second, rejected)])

    assert sink.tables(Role.ACCEPTED) == ["files", "logins"]
    assert sink.tables(Role.QUARANTINE) == ["logins"]
    assert rows_of(sink, "logins").column("n").to_pylist() == [1]
    assert rows_of(sink, "files").column("n").to_pylist() == [2]
    assert rows_of(sink, "logins", Role.QUARANTINE).column("n").to_pylist() == [3]


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("rows", ["values", "only null", "none"])
def test_every_type_comes_back_as_it_was(sink: Sink, name: str, rows: str) -> None:
    column = COLUMNS[name]
    batch = pa.record_batch({"x": column if rows == "values" else pa.nulls(int(rows == "only null"), column.type)})
    sink.promote([permitted(sealed(sink, 1, [batch]), 1, 1)])

    found = rows_of(sink).select(["x"])

    assert found.schema == batch.schema
    assert digest_of_rows(found.cast(batch.schema)) == digest_of_rows(batch)


def test_all_types_stand_beside_each_other(sink: Sink) -> None:
    longest = max(map(len, COLUMNS.values()))
    batch = pa.record_batch(
        {
            name: pa.concat_arrays([column, pa.nulls(longest - len(column), column.type)])
            for name, column in COLUMNS.items()
        }
    )
    sink.promote([permitted(sealed(sink, 1, [batch]), 1, 1)])

    found = rows_of(sink).select(batch.schema.names).cast(batch.schema)
    assert digest_of_rows(found) == digest_of_rows(batch)


def test_a_column_may_have_any_name(sink: Sink) -> None:
    names = ["a.b", "a,b", 'say "x"', "two\nlines", "ünï", " ", "select", "N", "é\\", "%s"]
    batch = pa.record_batch({name: [at] for at, name in enumerate(names)})
    sink.promote([permitted(sealed(sink, 1, [batch]), 1, 1)])

    assert rows_of(sink).select(names).to_pylist() == batch.to_pylist()
    assert sink.read("events", Role.ACCEPTED, columns=[names[2]]).read_all().to_pydict() == {names[2]: [2]}


def test_an_output_without_rows_still_shows_its_columns(sink: Sink) -> None:
    output = sealed(sink, 1, [], schema=a_batch().schema)
    sink.promote([permitted(output, 1, 1)])

    found = rows_of(sink)

    assert (output.rows, found.num_rows) == (0, 0)
    assert found.schema.names[:2] == ["n", "text"]


def test_batches_of_any_size_give_the_same_rows_in_order(sink: Sink) -> None:
    whole = a_batch(range(1000))
    cuts = [0, 0, 1, 2, 500, 500, 999, 1000]
    pieces = [whole.slice(start, end - start) for start, end in pairwise(cuts)]

    output = sealed(sink, 1, pieces)
    sink.promote([permitted(output, 1, 1)])

    assert output.rows == 1000
    assert numbers(sink) == list(range(1000))


def test_lineage_leads_from_each_row_to_its_job_and_place(sink: Sink) -> None:
    commit(sink, 1, 41, [10, 20])

    found = rows_of(sink).slice(1).to_pylist()[0]

    assert (found["_cf_job_id"], found["_cf_file_version_id"], found["_cf_source_row"]) == (41, 7, 2)
    assert (found["_cf_source_hash"], found["_cf_parser_version"]) == (DIGEST, "csv@1.0+abcdef01")
    assert found["_cf_processed_at"] == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


def test_chosen_columns_come_in_the_order_asked_for(sink: Sink) -> None:
    commit(sink, 1, 41, [10, 20])
    commit(sink, 2, 42, [30], removed_jobs=[41])

    found = sink.read("events", Role.ACCEPTED, columns=["_cf_source_row", "n"]).read_all()

    assert found.to_pydict() == {"_cf_source_row": [1], "n": [30]}
    assert sink.read("events", Role.ACCEPTED, 1, columns=["n"]).read_all().to_pydict() == {"n": [10, 20]}
    with pytest.raises(NotFound, match="no column 'm'"):
        sink.read("events", Role.ACCEPTED, columns=["n", "m"])


def test_the_rows_of_chosen_jobs_come_alone_in_the_columns_of_the_whole_table(sink: Sink) -> None:
    commit(sink, 1, 41, [10, 20])
    commit(sink, 2, 42, [30])
    commit(sink, 3, 43, [40], removed_jobs=[41])

    def of(*jobs: int, as_of: int | None = None) -> list[int]:
        return sink.read("events", Role.ACCEPTED, as_of, jobs=jobs).read_all().column("n").to_pylist()

    assert of(43, 42) == [30, 40]
    assert of(42) == [30]
    assert of(41, 99) == of() == []
    assert of(41, 43, as_of=2) == [10, 20]
    found = sink.read("events", Role.ACCEPTED, columns=["n"], jobs={43}).read_all()
    assert found.to_pydict() == {"n": [40]}
    assert sink.read("events", Role.ACCEPTED, jobs=[]).read_all().schema == rows_of(sink).schema


def test_files_of_other_jobs_are_not_opened_for_the_rows_of_one(tmp_path: Path) -> None:
    sink = open_sink(f"parquet://{tmp_path}/out")
    for job in (1, 2, 3):
        commit(sink, job, job, [job])
    Path(sink.snapshot("events", Role.ACCEPTED).files[1]).unlink()

    assert sink.read("events", Role.ACCEPTED, jobs=[3]).read_all().column("n").to_pylist() == [3]
    with pytest.raises(VerificationFailed):
        sink.read("events", Role.ACCEPTED, jobs=[2])


def test_a_table_without_a_commit_cannot_be_read(sink: Sink) -> None:
    sealed(sink, 1, [a_batch()])

    with pytest.raises(NotFound, match="has no commit"):
        sink.read("events", Role.ACCEPTED)


def test_a_superseded_job_leaves_the_current_rows_and_stays_in_the_past(sink: Sink) -> None:
    commit(sink, 1, 1, [1, 2])
    commit(sink, 2, 2, [3])
    commit(sink, 3, 3, [4], removed_jobs=[1])

    assert numbers(sink) == [3, 4]
    assert numbers(sink, as_of=2) == [1, 2, 3]
    assert numbers(sink, as_of=1) == [1, 2]
    assert sink.snapshot("events", Role.ACCEPTED, as_of=0).rows == 0
    assert [sink.snapshot("events", Role.ACCEPTED, seq).jobs for seq in (0, 2, 3)] == [set(), {1, 2}, {2, 3}]
    assert sink.snapshot("events", Role.ACCEPTED).seq == 3


def test_a_file_can_come_back_without_the_rows_of_a_job_that_stays_out(sink: Sink) -> None:
    staged = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(a_batch().schema))
    for job in (1, 2, 3):
        staged.write(stamped(a_batch([job, job]), job))
    [file] = staged.seal(DIGEST, DIGEST).files
    jobs = tuple(JobRows(job=job, rows=2) for job in (1, 2, 3))
    of_group = AddedFile(name=file.name, size=file.size, digest=file.digest, rows=6, jobs=jobs)

    def put(seq: int, adds: tuple[AddedFile, ...], removed: tuple[int, ...]) -> None:
        entry = Entry(
            table="events", role=Role.ACCEPTED, seq=seq, action=EntryAction.REVERT, contract_version=1,
            schema_hash=DIGEST, adds=adds, removed_jobs=removed,
        )  # fmt: skip
        sink.promote(
            [PermittedEntry(sink=sink.uri, table="events", role=Role.ACCEPTED, seq=seq, body=entry_bytes(entry))]
        )

    put(1, (of_group,), ())
    put(2, (), (2,))
    put(3, (), (3,))
    put(4, (of_group,), (2,))

    assert [numbers(sink, seq) for seq in (1, 2, 3)] == [[1, 1, 2, 2, 3, 3], [1, 1, 3, 3], [1, 1]]
    assert numbers(sink) == [1, 1, 3, 3]
    assert sink.snapshot("events", Role.ACCEPTED).rows == 4
    assert sink.snapshot("events", Role.ACCEPTED).jobs == {1, 3}


def test_a_state_that_was_not_reached_cannot_be_asked_for(sink: Sink) -> None:
    commit(sink, 1, 1)

    with pytest.raises(NotFound, match="reaches entry 1, not 2"):
        sink.snapshot("events", Role.ACCEPTED, as_of=2)


@pytest.mark.invariant(4)
def test_replace_takes_all_older_rows_away_in_one_step(sink: Sink) -> None:
    commit(sink, 1, 1, [1])
    commit(sink, 2, 2, [2])
    commit(sink, 3, 3, [3], removed_jobs=[1, 2], action=EntryAction.REPLACE)

    assert numbers(sink) == [3]
    assert numbers(sink, as_of=2) == [1, 2]


def test_a_commit_waits_until_the_one_before_it_is_there(sink: Sink) -> None:
    late = permitted(sealed(sink, 2, [a_batch([2])]), 2, 2)
    commit(sink, 1, 1, [1])
    commit(sink, 3, 3, [3])

    assert (numbers(sink), sink.snapshot("events", Role.ACCEPTED).seq) == ([1], 1)

    sink.promote([late])

    assert (numbers(sink), sink.snapshot("events", Role.ACCEPTED).seq) == ([1, 2, 3], 3)


@pytest.mark.invariant(1)
def test_another_entry_under_the_same_number_is_a_conflict(sink: Sink) -> None:
    commit(sink, 1, 1, [1])
    other = permitted(sealed(sink, 2, [a_batch([2])]), 1, 2)

    with pytest.raises(LogConflict, match="other content"):
        sink.promote([other])

    assert numbers(sink) == [1]


def test_an_entry_that_does_not_fit_its_permit_is_refused(sink: Sink) -> None:
    entry = permitted(sealed(sink, 1, [a_batch()]), 1, 1)

    with pytest.raises(InvariantBroken, match="does not fit its permit"):
        sink.promote([PermittedEntry(sink=sink.uri, table="events", role=Role.ACCEPTED, seq=2, body=entry.body)])

    assert sink.tables(Role.ACCEPTED) == []


def test_readers_see_whole_commits_while_writers_work(sink: Sink) -> None:
    jobs = 24
    seen: list[tuple[int, int]] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            snapshot = sink.snapshot("events", Role.ACCEPTED)
            seen.append((snapshot.seq, snapshot.rows))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for job in range(1, jobs + 1):
            output = sealed(sink, job, [a_batch(range(5))])
            sink.promote([permitted(output, job, job, removed_jobs=[job - 2] if job > 2 else [])])
    finally:
        is_done.set()
        reader.join()

    assert seen
    assert all(rows == 5 * min(seq, 2) for seq, rows in seen)
    assert [seq for seq, _ in seen] == sorted(seq for seq, _ in seen)
    assert sink.snapshot("events", Role.ACCEPTED).seq == jobs


def test_discarding_removes_the_rows_and_may_be_repeated(sink: Sink, tmp_path: Path) -> None:
    half = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(a_batch().schema))
    half.write(stamped(a_batch(), 1))
    half.discard()
    half.discard()
    output = sealed(sink, 2, [a_batch()])
    sink.discard(Attempt(job=2, attempt=1), [output])
    sink.discard(Attempt(job=2, attempt=1), [output])

    assert everything_under(tmp_path) == set()


def test_a_sealed_output_that_is_discarded_by_its_stage_is_gone(sink: Sink, tmp_path: Path) -> None:
    staged = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(a_batch().schema))
    staged.write(stamped(a_batch(), 1))
    staged.seal(DIGEST, DIGEST)

    staged.discard()

    assert everything_under(tmp_path) == set()


def test_the_files_of_another_attempt_are_not_discarded(sink: Sink) -> None:
    output = sealed(sink, 1, [a_batch()])

    with pytest.raises(InvariantBroken, match="another attempt"):
        sink.discard(Attempt(job=1, attempt=2), [output])

    sink.promote([permitted(output, 1, 1)])
    assert numbers(sink) == [1, 2, 3]


@pytest.mark.parametrize("is_sealed", [True, False])
def test_no_row_is_written_after_the_end(sink: Sink, is_sealed: bool) -> None:
    staged = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(a_batch().schema))
    if is_sealed:
        staged.seal(DIGEST, DIGEST)
    else:
        staged.discard()

    with pytest.raises(InvariantBroken):
        staged.write(stamped(a_batch(), 1))
    with pytest.raises(InvariantBroken):
        staged.seal(DIGEST, DIGEST)


def test_a_batch_with_other_columns_is_refused(sink: Sink) -> None:
    staged = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(a_batch().schema))

    with pytest.raises(InvariantBroken, match="another schema"):
        staged.write(a_batch())
    staged.discard()


def test_an_attempt_never_overwrites_what_it_wrote(sink: Sink) -> None:
    output = sealed(sink, 1, [a_batch([1])])

    with pytest.raises(SinkUnavailable):
        sealed(sink, 1, [a_batch([2])])

    sink.promote([permitted(output, 1, 1)])
    assert numbers(sink) == [1]


def test_sweeping_removes_what_nobody_committed_or_keeps(sink: Sink) -> None:
    commit(sink, 1, 1, [1])
    commit(sink, 2, 2, [2], removed_jobs=[1])
    kept = sealed(sink, 3, [a_batch([3])])
    sealed(sink, 4, [a_batch([4])])
    sealed(sink, 4, [a_batch([4])], attempt=2)
    sealed(sink, 5, [a_batch([5])], table="never_committed", role=Role.QUARANTINE)

    assert sink.sweep([Attempt(job=3, attempt=1)]) == 3
    assert sink.sweep([Attempt(job=3, attempt=1)]) == 0

    sink.promote([permitted(kept, 3, 3)])
    assert numbers(sink) == [2, 3]
    assert numbers(sink, as_of=1) == [1]


HOSTILE = [
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "/etc",
    "A",
    "ünï",
    "a b",
    "a\x00b",
    "a\n",
    "_cf",
    "_cf_log",
    "x" * 161,
    "a.b",
]


@pytest.mark.parametrize("table", HOSTILE)
def test_a_table_name_from_outside_never_reaches_the_file_system(sink: Sink, table: str, tmp_path: Path) -> None:
    before = everything_under(tmp_path)
    with pytest.raises(UsageError, match="cannot name a table"):
        sink.stage(Attempt(job=1, attempt=1), table, Role.ACCEPTED, 1, stamped_schema(a_batch().schema))
    with pytest.raises(UsageError):
        sink.snapshot(table, Role.ACCEPTED)
    with pytest.raises(UsageError):
        sink.promote([PermittedEntry(sink=sink.uri, table=table, role=Role.ACCEPTED, seq=1, body=b"{}")])
    assert everything_under(tmp_path) == before


def test_the_longest_table_name_works(sink: Sink) -> None:
    commit(sink, 1, 2**62, table="x" * 160)

    assert sink.tables(Role.ACCEPTED) == ["x" * 160]


def test_a_good_target_passes_the_check_and_is_left_as_it_was(sink: Sink, tmp_path: Path) -> None:
    sink.check()
    assert list(tmp_path.iterdir()) == []

    commit(sink, 1, 1)
    before = everything_under(tmp_path)
    sink.check()
    assert everything_under(tmp_path) == before


@pytest.mark.parametrize("place", ["{}/a_file", "{}/a_file/below", "/proc/nowhere", "{}/leads_nowhere/below"])
@pytest.mark.parametrize("name", SINKS)
def test_a_target_that_cannot_be_written_says_why(name: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("not a folder")
    (tmp_path / "leads_nowhere").symlink_to(tmp_path / "nothing")
    sink = open_sink(f"{name}://{place.format(tmp_path)}")

    with pytest.raises(SinkUnavailable) as caught:
        sink.check()

    assert caught.value.why
    assert caught.value.fix
    with pytest.raises(SinkUnavailable):
        commit(sink, 1, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not stop root")
def test_a_read_only_folder_says_so(sink: Sink, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(SinkUnavailable) as caught:
        sink.check()

    assert "permission" in caught.value.why


FULL = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from sink_builders import a_batch, sealed
from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.sinks.base import Attempt
from casparian_flow.core.hashing import digest_of_file
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.uri import open_sink
from casparian_flow.sinks.lineage import stamped_schema
from sink_builders import stamped
sink = open_sink(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
batch = a_batch(range(100_000))
staged = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(batch.schema))
try:
    for _ in range(4):
        staged.write(stamped(batch, 1))
    staged.seal("blake3:", "blake3:")
except SinkUnavailable as error:
    print(error.why)
    staged.discard()
    staged.discard()
"""


@pytest.mark.parametrize(
    "limit", [5_000, *(pytest.param(limit, marks=pytest.mark.slow) for limit in (0, 3, 1_000_000))]
)
def test_a_target_that_fills_up_says_so_and_keeps_no_debris(sink: Sink, limit: int, tmp_path: Path) -> None:
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in ("src", "tests"))

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, sink.uri, str(limit)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "may not grow" in done.stdout
    assert everything_under(tmp_path) == set()


def test_many_jobs_can_be_promoted_at_once(sink: Sink) -> None:
    outputs: Sequence[PermittedEntry] = [
        permitted(sealed(sink, job, [a_batch([job])]), job, job) for job in range(1, 6)
    ]

    sink.promote(outputs)

    assert numbers(sink) == [1, 2, 3, 4, 5]


def test_versions_of_a_contract_are_joined_by_name(sink: Sink) -> None:
    old = pa.record_batch({"id": [1], "size": pa.array([10], pa.int64()), "dropped": ["x"]})
    new = pa.record_batch({"added": [True], "size": ["10 kB"], "id": [2]})
    sink.promote([permitted(sealed(sink, 1, [old]), 1, 1)])
    sink.promote([permitted(sealed(sink, 2, [new], version=2), 2, 2)])

    found = rows_of(sink).select(["added", "size", "id", "dropped", "_cf_job_id"])

    assert rows_of(sink).schema.names[-6:] == [field.name for field in LINEAGE_FIELDS]
    assert found.to_pylist() == [
        {"added": None, "size": "10", "id": 1, "dropped": "x", "_cf_job_id": 1},
        {"added": True, "size": "10 kB", "id": 2, "dropped": None, "_cf_job_id": 2},
    ]


def test_a_large_number_keeps_its_digits_when_a_column_becomes_a_float(sink: Sink) -> None:
    for seq, batch in enumerate([pa.record_batch({"x": [2**63 - 1]}), pa.record_batch({"x": [0.5]})], 1):
        sink.promote([permitted(sealed(sink, seq, [batch], version=seq), seq, seq)])

    assert rows_of(sink).column("x").to_pylist() == ["9223372036854775807", "0.5"]


def test_rows_of_removed_jobs_are_left_out_of_shared_files(sink: Sink) -> None:
    staged = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped(a_batch(), 1).schema)
    for job in (1, 2, 3):
        staged.write(stamped(a_batch([job, job * 10]), job))
    [file] = staged.seal("d", "d").files
    jobs = tuple(JobRows(job=job, rows=2) for job in (1, 2, 3))
    added = AddedFile(name=file.name, size=file.size, digest=file.digest, rows=6, jobs=jobs)
    for seq, adds, removed in ((1, (added,), ()), (2, (), (2,))):
        entry = Entry(
            table="events",
            role=Role.ACCEPTED,
            seq=seq,
            action=EntryAction.REVERT if removed else EntryAction.APPEND,
            contract_version=1,
            schema_hash="d",
            adds=adds,
            removed_jobs=removed,
        )
        body = entry_bytes(entry)
        sink.promote([PermittedEntry(sink=sink.uri, table="events", role=Role.ACCEPTED, seq=seq, body=body)])

    snapshot = sink.snapshot("events", Role.ACCEPTED)

    assert snapshot.rows == 4
    assert rows_of(sink).column("n").to_pylist() == [1, 10, 3, 30]
    assert rows_of(sink, as_of=1).num_rows == 6


WRITER = """
import sys
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, permitted, sealed
sink = open_sink(sys.argv[1])
for job in range(1, int(sys.argv[2]) + 1):
    batch = a_batch(range(job * 10, job * 10 + 5))
    outputs = [sealed(sink, job, [batch], table=table) for table in ("events", "files")]
    sink.promote([permitted(output, job, job, removed_jobs=[job - 2] if job > 2 else []) for output in outputs])
"""


def test_a_reader_in_another_process_sees_whole_commits_only(sink: Sink) -> None:
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in ("src", "tests"))
    jobs, seen = 12, set()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, sink.uri, str(jobs)], env={**os.environ, "PYTHONPATH": path}
    ) as writer:
        while writer.poll() is None:
            if sink.snapshot("events", Role.ACCEPTED).seq:
                seen.add(tuple(numbers(sink)))
        assert writer.returncode == 0

    assert seen <= {
        tuple(n for job in (last - 1, last) if job for n in range(job * 10, job * 10 + 5))
        for last in range(1, jobs + 1)
    }
    assert numbers(sink) == [*range(110, 115), *range(120, 125)]
    assert rows_of(sink, "files").num_rows == 10
