"""One large file under a ceiling: the memory of host and guests together does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.bars import LARGE_FILE, LARGE_FILE_QUICK
from benchmarks.ceiling import Ceiling, ceiling
from benchmarks.data.databases import write_database
from benchmarks.data.delimited import write_csv
from benchmarks.homes import Home
from benchmarks.process import MB, Measured, peer
from benchmarks.rounds import Side, in_turn, peak, rate
from benchmarks.shape import MEGABYTES, MEMORY, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    with ceiling(int(LARGE_FILE.limit) * MB) as limit:
        compare = partial(_compare, bench, limit)
        yield from compare("large.csv", partial(write_csv, seed=1), "DuckDB", ("duckdb_copy", "read_csv"))
        yield from compare("large.db", write_database, "sqlite3 and pyarrow", ("sqlite_convert", "flows"))


def _compare(
    bench: Bench,
    limit: Ceiling,
    name: str,
    write: Callable[[Path, int], int],
    peer_name: str,
    program: Sequence[str],
) -> Iterator[Row]:
    """One file of this name; the peer's program takes it and a target behind its own words."""
    path, home, copied = bench.folder / name, Home(bench.folder), bench.folder / "peer.parquet"
    rows = write(path, bench.large_mb * MB)
    size = path.stat().st_size / MB
    sides = {
        "peer": Side(partial(peer, *program, str(path), str(copied))),
        "ours": Side(partial(_under, limit, home, path, rows), home.forget),
    }
    found = in_turn(bench.once(), sides)
    for done in (path, copied):
        done.unlink()
    what, bar = f"{name}, {size:,.0f} MB", bench.pick(LARGE_FILE_QUICK, LARGE_FILE)
    yield Row(f"peak memory, {what}", MEMORY, peak(found["ours"]), peer_name, peak(found["peer"]), bar)
    yield Row(f"first contact, {what}", MEGABYTES, rate(size, found["ours"]), peer_name, rate(size, found["peer"]))


def _under(limit: Ceiling, home: Home, path: Path, rows: int) -> Measured:
    done = home.run(str(path), rows=rows, under=limit.words)
    if limit.most_processes is not None and done.most_processes > limit.most_processes:
        raise RuntimeError(f"{done.most_processes} processes ran; the ceiling is one for {limit.most_processes}")
    return done


BENCHMARK = Benchmark(
    "large",
    "whole processes, first contact, ours under a ceiling of 1 GB beyond which it fails: a control group where one can"
    " be made, else RLIMIT_DATA for each of at most three processes, together as much. The peer has none. Peak memory"
    " is what all processes of a side were seen to hold, shared pages counted for each; with --quick its bar is 512 MB",
    _measure,
    (LARGE_FILE,),
)
