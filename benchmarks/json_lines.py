"""JSON Lines to Parquet, nested values included, beside programs that only convert."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.bars import JSON_MEMORY
from benchmarks.data.jsonl import write_jsonl, write_small_jsonl
from benchmarks.homes import Home
from benchmarks.process import MB, peer
from benchmarks.rounds import Side, in_turn, peak, rate
from benchmarks.shape import MEGABYTES, MEMORY, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    home, path, sample = Home(bench.folder), bench.folder / "events_1.jsonl", bench.folder / "events.jsonl"
    rows = write_jsonl(path, bench.pick(4, 200) * MB)
    size = path.stat().st_size / MB
    write_small_jsonl(sample, bench.pick(1_000, 10_000), first=0)
    home.prepare(str(sample), "--table", "events")

    ours = partial(home.run, str(path), "--table", "events", rows=rows)
    target = str(bench.folder / "peer.parquet")
    sides = {
        "DuckDB": Side(partial(peer, "duckdb_copy", "read_json", str(path), target)),
        "first": Side(ours, home.forget),
        "in place": Side(ours, home.restore),
        "polars": Side(partial(peer, "polars_convert", "jsonl", str(path), target)),
        "pandas": Side(partial(peer, "pandas_convert", "jsonl", str(path), target)),
    }
    runs = in_turn(bench, sides)
    found = {name: rate(size, each) for name, each in runs.items()}
    amount = f"1 x {size:.0f} MB"
    yield Row(f"first contact, {amount}", MEGABYTES, found["first"], "DuckDB", found["DuckDB"])
    for name in ("DuckDB", "polars", "pandas"):
        yield Row(f"contract in place, {amount}", MEGABYTES, found["in place"], name, found[name])
    yield Row("peak memory", MEMORY, peak(runs["first"]), "DuckDB", peak(runs["DuckDB"]), JSON_MEMORY)


BENCHMARK = Benchmark(
    "jsonl", "whole processes over the same file; the design sets no bar of speed", _measure, (JSON_MEMORY,)
)
