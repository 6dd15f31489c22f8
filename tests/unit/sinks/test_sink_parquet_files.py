from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casparian_flow.core.errors import InvariantBroken, NotFound, UsageError, VerificationFailed
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.sinks.encoding import choose_encoding
from casparian_flow.sinks.lineage import LINEAGE_FIELDS
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRows, entry_bytes
from casparian_flow.sinks.parquet_format import ParquetFormat
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, a_lineage, commit, permitted, sealed, stamped


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    return open_sink(f"parquet://{tmp_path}")


def test_rows_are_gathered_into_large_row_groups(sink: Sink, tmp_path: Path) -> None:
    rows = 300_000
    whole = pa.record_batch({"n": np.arange(rows)})
    output = sealed(sink, 1, [whole.slice(at, 7_000) for at in range(0, rows, 7_000)])

    metadata = pq.read_metadata(tmp_path / "outputs" / "events" / output.files[0].name)

    groups = [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)]
    assert groups == [131_072, 131_072, 37_856]


def test_large_rows_are_flushed_early_and_large_files_are_split(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ParquetFormat, "bytes_at_once", 1 << 20)
    monkeypatch.setattr(ParquetFormat, "part_bytes", 3 << 20)
    noise = np.random.default_rng(1)
    batches = [pa.record_batch({"blob": [noise.bytes(100_000) for _ in range(5)]}) for _ in range(20)]

    output = sealed(sink, 1, batches)
    sink.promote([permitted(output, 1, 1)])

    assert [file.name[-9:] for file in output.files] == ["0.parquet", "1.parquet", "2.parquet"]
    assert all(file.size < 6 << 20 for file in output.files)
    assert output.rows == sum(file.rows for file in output.files) == 100
    expected = [value for batch in batches for value in batch.column("blob").to_pylist()]
    assert sink.read("events", Role.ACCEPTED).read_all().column("blob").to_pylist() == expected


def test_other_readers_find_plain_types(sink: Sink) -> None:
    commit(sink, 1, 41, [5])
    [path] = sink.snapshot("events", Role.ACCEPTED).files

    by_duckdb = duckdb.sql(
        f"SELECT n, _cf_job_id, _cf_source_row, _cf_source_hash FROM read_parquet('{path}')"
    ).fetchall()
    by_polars = pl.read_parquet(path)

    assert by_duckdb == [(5, 41, 1, a_lineage().source_hash)]
    assert by_polars.schema["_cf_parser_version"] == pl.String
    assert by_polars["_cf_job_id"].to_list() == [41]
    assert tuple(pq.read_schema(path))[2:] == LINEAGE_FIELDS


def test_a_dictionary_is_made_only_for_text_that_repeats() -> None:
    rows = pa.table(
        {
            "level": ["INFO", "WARN"] * 500,
            "message": [f"message {n}" for n in range(1000)],
            "seldom": pa.array([None] * 999 + ["x"]),
            "count": list(range(1000)),
            "ratio": [n / 7 for n in range(1000)],
            "a.b": ["x"] * 1000,
        }
    )

    chosen = choose_encoding(rows)

    assert chosen.dictionary == ["level"]
    assert chosen.columns == {"count": "DELTA_BINARY_PACKED"}


def test_a_dotted_name_is_not_taken_for_a_part_of_a_struct(sink: Sink) -> None:
    batch = pa.record_batch({"a": [{"b": "text"}] * 100, "a.b": list(range(100)), "a.c": ["x"] * 100})
    sink.promote([permitted(sealed(sink, 1, [batch]), 1, 1)])

    found = sink.read("events", Role.ACCEPTED).read_all()

    assert found.select(["a", "a.b", "a.c"]) == pa.Table.from_batches([batch])


def test_lineage_is_constant_but_for_the_source_row() -> None:
    batch = pa.record_batch({"n": np.arange(200_000)})

    done = stamped(batch, 41)

    assert done.num_rows == 200_000
    assert done.column("_cf_job_id").dictionary.to_pylist() == [41]
    assert done.column("_cf_source_row").slice(199_999).to_pylist() == [200_000]
    assert done.schema.names == ["n", *(field.name for field in LINEAGE_FIELDS)]


@pytest.mark.parametrize(
    "positions", [pa.array([1]), pa.array([1, 2], pa.int32()), pa.array([1, None], pa.int64())], ids=str
)
def test_rows_without_a_position_are_refused(positions: pa.Array) -> None:
    with pytest.raises(InvariantBroken, match="position"):
        a_lineage().stamp(a_batch([1, 2]), positions)


def test_versions_of_a_contract_are_joined_by_name(sink: Sink) -> None:
    old = pa.record_batch({"id": [1], "size": pa.array([10], pa.int64()), "dropped": ["x"]})
    new = pa.record_batch({"added": [True], "size": ["10 kB"], "id": [2]})
    sink.promote([permitted(sealed(sink, 1, [old]), 1, 1)])
    sink.promote([permitted(sealed(sink, 2, [new], version=2), 2, 2)])

    found = sink.read("events", Role.ACCEPTED).read_all().select(["added", "size", "id", "dropped", "_cf_job_id"])

    assert sink.read("events", Role.ACCEPTED).schema.names[-6:] == [field.name for field in LINEAGE_FIELDS]
    assert found.to_pylist() == [
        {"added": None, "size": "10", "id": 1, "dropped": "x", "_cf_job_id": 1},
        {"added": True, "size": "10 kB", "id": 2, "dropped": None, "_cf_job_id": 2},
    ]


def test_a_large_number_keeps_its_digits_when_a_column_becomes_a_float(sink: Sink) -> None:
    for seq, batch in enumerate([pa.record_batch({"x": [2**63 - 1]}), pa.record_batch({"x": [0.5]})], 1):
        sink.promote([permitted(sealed(sink, seq, [batch], version=seq), seq, seq)])

    assert sink.read("events", Role.ACCEPTED).read_all().column("x").to_pylist() == ["9223372036854775807", "0.5"]


def test_a_struct_that_became_text_is_an_error_with_a_way_out(sink: Sink) -> None:
    for seq, batch in enumerate([pa.record_batch({"x": [{"a": 1}]}), pa.record_batch({"x": ["a"]})], 1):
        sink.promote([permitted(sealed(sink, seq, [batch], version=seq), seq, seq)])

    with pytest.raises(UsageError) as caught:
        sink.read("events", Role.ACCEPTED)

    assert "as_of" in caught.value.fix
    assert sink.read("events", Role.ACCEPTED, as_of=1).read_all().num_rows == 1


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
        sink.promote([PermittedEntry(table="events", role=Role.ACCEPTED, seq=seq, body=body)])

    snapshot = sink.snapshot("events", Role.ACCEPTED)

    assert (snapshot.rows, snapshot.removed_jobs, len(snapshot.files)) == (4, (2,), 1)
    assert sink.read("events", Role.ACCEPTED).read_all().column("n").to_pylist() == [1, 10, 3, 30]
    assert sink.read("events", Role.ACCEPTED, as_of=1).read_all().num_rows == 6


def test_a_table_without_a_commit_is_not_found(sink: Sink) -> None:
    sealed(sink, 1, [a_batch()])

    with pytest.raises(NotFound):
        sink.read("events", Role.ACCEPTED)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_data_file_that_cannot_be_read_is_named(sink: Sink, damage: str) -> None:
    commit(sink, 1, 1)
    [path] = sink.snapshot("events", Role.ACCEPTED).files
    data = Path(path).read_bytes()
    Path(path).unlink()
    if damage != "missing":
        Path(path).write_bytes(data[: len(data) // 2] if damage == "cut" else b"")

    with pytest.raises(VerificationFailed) as caught:
        sink.read("events", Role.ACCEPTED)

    assert caught.value.where == path
