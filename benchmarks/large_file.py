"""One large file: the memory of host and guests together does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.data.delimited import write_csv
from benchmarks.homes import Home
from benchmarks.process import MB, peer
from benchmarks.rounds import Side, in_turn, peak
from benchmarks.shape import MEMORY, Bar, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    path, home = bench.folder / "large.csv", Home(bench.folder)
    size = bench.pick(16, 2048)
    rows = write_csv(path, size * MB, seed=1)
    copied = str(bench.folder / "peer.parquet")
    sides = {
        "DuckDB": Side(partial(peer, "duckdb_copy", "read_csv", str(path), copied)),
        "ours": Side(partial(home.run, str(path), rows=rows), home.forget),
    }
    found = in_turn(bench.once(), sides)
    yield Row(
        f"peak memory, CSV of {size:,} MB", MEMORY, peak(found["ours"]), "DuckDB", peak(found["DuckDB"]), Bar(1024)
    )


BENCHMARK = Benchmark(
    "large",
    "the most memory that all processes of a side were seen to hold; the bar is meant for 10 GB",
    _measure,
)
