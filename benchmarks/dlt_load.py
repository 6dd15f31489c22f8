"""CSV to Parquet beside dlt, which also keeps load ids and a schema of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial

from benchmarks.data.delimited import write_csv
from benchmarks.homes import Home
from benchmarks.process import MB, Measured, peer
from benchmarks.rounds import Side, in_turn, rate
from benchmarks.shape import ROWS, Bar, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    data, home, target = bench.folder / "data", Home(bench.folder), bench.folder / "dlt"
    data.mkdir()
    size = bench.pick(1, 100)
    rows = write_csv(data / "flows.csv", size * MB, seed=1)

    def dlt() -> Measured:
        done = peer("dlt_load", str(data), str(target))
        if int(done.out) != rows:
            raise RuntimeError(f"dlt loaded {done.out} of {rows} rows")
        return done

    ours = Side(partial(home.run, str(data), rows=rows), home.forget)
    found = in_turn(bench.once(), {"dlt": Side(dlt, lambda: shutil.rmtree(target, ignore_errors=True)), "ours": ours})
    yield Row(
        f"first contact, 1 x {size} MB",
        ROWS,
        rate(rows, found["ours"]),
        "dlt",
        rate(rows, found["dlt"]),
        Bar(20, of_ratio=True),
    )


BENCHMARK = Benchmark(
    "csv-dlt",
    "whole processes over the same file of twelve columns; dlt with its own read_csv and Parquet, telemetry off",
    _measure,
)
