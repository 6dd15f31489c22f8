"""CSV to Parquet: a run with lineage, validation and digests beside DuckDB's own copy of the same files."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.csv_data import write_csv
from benchmarks.timing import MB, Measured, Rounds, casparian, python, workspace

BARS = {"first contact": 0.25, "contract in place": 0.5}


def main(quick: bool, rounds: int) -> None:
    total = 40 * MB if quick else 400 * MB
    for count in (1, 20):
        with workspace() as folder:
            print(f"\n{count} file{'s' if count > 1 else ''}, {total // MB} MB in all, twelve mixed columns")
            _compare(folder, total, count, rounds)


def _compare(folder: Path, total: int, count: int, rounds: int) -> None:
    rows = size = 0
    for name in ("first", "second"):
        (folder / name).mkdir()
        for number in range(count):
            path = folder / name / f"flows_{'ab'[name == 'second']}_{number:02}.csv"
            rows += write_csv(path, total // count, seed=number + (1000 if name == "second" else 0))
            size += path.stat().st_size

    def ours(data: str) -> Measured:
        run = casparian(folder / "home", "run", str(folder / data), "--table", "flows")
        assert run.json["completed"] == count, run.out
        return run

    def first(_round: int) -> Measured:
        shutil.rmtree(folder / "home", ignore_errors=True)
        return ours("first")

    def peer(_round: int) -> Measured:
        return python("benchmarks.csv_peer", str(folder / "second" / "*.csv"), str(folder / "peer.parquet"))

    sides = Rounds({"duckdb copy": peer, "first contact": first, "contract in place": lambda _round: ours("second")})
    sides.run(rounds)
    sides.report("duckdb copy", BARS, size // 2, "rows", rows // 2)
