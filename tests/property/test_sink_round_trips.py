"""Whatever the types and values of a table are: what was written into a sink is what is read from it, on every sink."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_columns import LEAVES, batches
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.uri import open_sink
from sink_builders import commit, permitted, sealed
from typed_columns import digest_of_rows

SINKS = {"parquet": "out", "csv": "out", "sqlite": "out.db", "duckdb": "out.duckdb"}
CHEAP, DEAR = 10, 3
"""Examples for sinks that open in no time, and for DuckDB."""


def in_every_sink(law: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.parametrize("scheme", SINKS)(law)


def examples(scheme: str, law: Callable[[], None]) -> None:
    settings(max_examples=DEAR if scheme == "duckdb" else CHEAP)(law)()


@in_every_sink
def test_any_batch_comes_back_value_by_value(scheme: str) -> None:
    @given(batches(), st.integers(1, 3))
    def law(batch: pa.RecordBatch, pieces: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sink = open_sink(f"{scheme}://{folder}/{SINKS[scheme]}")
            size = -(-batch.num_rows // pieces)
            cut = [batch.slice(at, size) for at in range(0, batch.num_rows, size)]
            sink.promote([permitted(sealed(sink, 1, cut), 1, 1)])
            found = sink.read("events", Role.ACCEPTED).read_all().select(batch.schema.names)
            assert found.schema == batch.schema
            assert digest_of_rows(found) == digest_of_rows(batch)

    examples(scheme, law)


@in_every_sink
def test_every_type_keeps_its_nulls_in_a_table_of_one_row_and_of_none(scheme: str) -> None:
    kinds = [kind for kind, _ in LEAVES]
    kinds += [pa.list_(kind) for kind in kinds] + [pa.struct([("a", kind)]) for kind in kinds]
    for count in (0, 1):
        batch = pa.RecordBatch.from_arrays(
            [pa.nulls(count, kind) for kind in kinds], [f"c{at}" for at in range(len(kinds))]
        )
        with tempfile.TemporaryDirectory() as folder:
            sink = open_sink(f"{scheme}://{folder}/{SINKS[scheme]}")
            sink.promote([permitted(sealed(sink, 1, [batch]), 1, 1)])
            found = sink.read("events", Role.ACCEPTED).read_all().select(batch.schema.names)
            assert found.schema == batch.schema
            assert found.equals(pa.Table.from_batches([batch]))


@pytest.mark.invariant(2)
@in_every_sink
def test_promoting_any_entries_again_in_any_order_changes_nothing(scheme: str) -> None:
    @given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=3), min_size=1, max_size=4), st.data())
    def law(jobs: list[list[int]], data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sink = open_sink(f"{scheme}://{folder}/{SINKS[scheme]}")
            entries = []
            for job, numbers in enumerate(jobs, start=1):
                output = commit(sink, job, job, numbers)
                entries.append(permitted(output, job, job))
            before = (sink.snapshot("events", Role.ACCEPTED), sink.read("events", Role.ACCEPTED).read_all())
            for some in data.draw(st.lists(st.lists(st.sampled_from(entries), min_size=1, max_size=3), max_size=3)):
                open_sink(sink.uri).promote(some)
            after = (sink.snapshot("events", Role.ACCEPTED), sink.read("events", Role.ACCEPTED).read_all())
            assert after == before
            assert after[1].column("n").to_pylist() == [n for numbers in jobs for n in numbers]

    examples(scheme, law)
