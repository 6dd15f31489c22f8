"""CSV to Parquet: a run with lineage, validation and digests beside programs that only convert."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.bars import FIRST_CONTACT, IN_PLACE
from benchmarks.data.delimited import write_csv, write_small_csv
from benchmarks.homes import Home
from benchmarks.process import MB, peer
from benchmarks.rounds import Side, in_turn, rate
from benchmarks.shape import MEGABYTES, Bench, Benchmark, Row


def _measure(is_one: bool, bench: Bench) -> Iterator[Row]:
    data, home = bench.folder / "data", Home(bench.folder)
    data.mkdir()
    count = 1 if is_one else bench.pick(6, 20)
    paths = [data / f"flows_{number:02}.csv" for number in range(count)]
    rows = sum(write_csv(path, bench.pick(8, 400) * MB // count, number) for number, path in enumerate(paths))
    size = sum(path.stat().st_size for path in paths) / MB
    sample = bench.folder / "flows.csv"
    write_small_csv(sample, bench.pick(1_000, 10_000), seed=1000)
    home.prepare(str(sample), "--table", "flows")

    ours = partial(home.run, str(data), "--table", "flows", rows=rows)
    target = str(bench.folder / "peer.parquet")
    sides = {
        "DuckDB": Side(partial(peer, "duckdb_copy", "read_csv", str(data / "*.csv"), target)),
        "first": Side(ours, home.forget),
        "in place": Side(ours, home.restore),
    }
    if is_one:
        sides["polars"] = Side(partial(peer, "polars_convert", "csv", str(paths[0]), target))
        sides["pandas"] = Side(partial(peer, "pandas_convert", "csv", str(paths[0]), target))
    found = {name: rate(size, runs) for name, runs in in_turn(bench, sides).items()}
    amount = f"{count} x {size / count:.0f} MB"
    yield Row(f"first contact, {amount}", MEGABYTES, found["first"], "DuckDB", found["DuckDB"], FIRST_CONTACT)
    yield Row(f"contract in place, {amount}", MEGABYTES, found["in place"], "DuckDB", found["DuckDB"], IN_PLACE)
    for name in ("polars", "pandas") if is_one else ():
        yield Row(f"contract in place, {amount}", MEGABYTES, found["in place"], name, found[name])


_FOOTING = "whole processes over the same {}; `casparian run` flushes to disk and keeps digests, the others do not"
_BARS = (FIRST_CONTACT, IN_PLACE)
ONE = Benchmark("csv", _FOOTING.format("file of twelve columns"), partial(_measure, True), _BARS)
MANY = Benchmark(
    "csv-many",
    _FOOTING.format("twenty files (six with --quick); DuckDB makes one of them"),
    partial(_measure, False),
    _BARS,
)
