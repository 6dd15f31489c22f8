"""CSV to Parquet and to DuckDB beside dlt, which also keeps load ids and a schema of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.bars import BESIDE_DLT
from benchmarks.data.delimited import write_csv
from benchmarks.homes import Home
from benchmarks.process import MB, Measured, peer
from benchmarks.rounds import Side, in_turn, rate
from benchmarks.shape import ROWS, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    data, home = bench.folder / "data", Home(bench.folder)
    data.mkdir()
    size = bench.pick(1, 400)
    rows = write_csv(data / "flows.csv", size * MB, seed=1)
    database = bench.folder / "ours.duckdb"

    def forget() -> None:
        home.forget()
        database.unlink(missing_ok=True)

    ours = partial(home.run, str(data), rows=rows)
    to_database = partial(home.run, str(data), "--sink", f"duckdb://{database}", rows=rows)
    for kind, run, bar in (("Parquet", ours, BESIDE_DLT), ("DuckDB", to_database, None)):
        target = bench.folder / f"dlt {kind}"
        theirs = Side(partial(_dlt, data, kind, target, rows), partial(shutil.rmtree, target, ignore_errors=True))
        found = in_turn(bench.once(), {"dlt": theirs, "ours": Side(run, forget)})
        mine, dlt = (rate(rows, found[side]) for side in ("ours", "dlt"))
        yield Row(f"first contact to {kind}, 1 x {size} MB", ROWS, mine, "dlt", dlt, bar)


def _dlt(data: Path, kind: str, target: Path, rows: int) -> Measured:
    done = peer("dlt_load", str(data), kind.lower(), str(target))
    if int(done.out) != rows:
        raise RuntimeError(f"dlt loaded {done.out} of {rows} rows")
    return done


BENCHMARK = Benchmark(
    "csv-dlt",
    "whole processes over the same file of twelve columns; dlt with its `filesystem` source and own read_csv, to the"
    " same kind of target, telemetry off",
    _measure,
    (BESIDE_DLT,),
)
