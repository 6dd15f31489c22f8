from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.encoding import choose_encoding
from casparian_flow.sinks.lineage import LINEAGE_FIELDS
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
