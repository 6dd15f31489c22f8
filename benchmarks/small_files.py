"""Many small files from end to end, each with its own job, receipt and commit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.bars import SMALL_FILES
from benchmarks.data.delimited import write_small_csv
from benchmarks.data.jsonl import write_small_jsonl
from benchmarks.homes import Home
from benchmarks.process import Measured, casparian, peer
from benchmarks.rounds import Side, in_turn, rate
from benchmarks.shape import FILES, Bench, Benchmark, Row

_ROWS = 24


def _measure(bench: Bench) -> Iterator[Row]:
    count = bench.pick(30, 10_000)
    kinds = (("CSV", "read_csv", _write_csv), ("JSON Lines", "read_json", _write_jsonl))
    for kind, reader, write in kinds:
        yield _compare(bench, count, kind, reader, write)


def _compare(bench: Bench, count: int, kind: str, reader: str, write: Callable[[Path, int], None]) -> Row:
    files, target, home = bench.folder / reader, bench.folder / "peer", Home(bench.folder)
    files.mkdir()
    for number in range(count):
        write(files, number)

    def ours() -> Measured:
        done = casparian(home.path, "run", str(files))
        if done.json["completed"] != count:
            raise RuntimeError(f"not every file was read:\n{done.out[-2000:]}")
        return done

    each = partial(peer, "duckdb_each", reader, str(files), str(target))
    sides = {
        "DuckDB": Side(each, lambda: shutil.rmtree(target, ignore_errors=True)),
        "ours": Side(ours, home.forget),
    }
    found = {name: rate(count, runs) for name, runs in in_turn(bench.once(), sides).items()}
    return Row(f"{count:,} {kind} of 3 kB", FILES, found["ours"], "DuckDB", found["DuckDB"], SMALL_FILES)


def _write_csv(folder: Path, number: int) -> None:
    write_small_csv(folder / f"flows_{number:05}.csv", _ROWS, seed=number)


def _write_jsonl(folder: Path, number: int) -> None:
    write_small_jsonl(folder / f"events_{number:05}.jsonl", _ROWS, first=number * _ROWS)


BENCHMARK = Benchmark(
    "small",
    "whole processes; one process of DuckDB copies each file to a Parquet file of its own, without flushing",
    _measure,
    (SMALL_FILES,),
)
