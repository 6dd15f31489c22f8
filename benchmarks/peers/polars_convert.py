"""polars streams one file into Parquet: csv|jsonl FILE TARGET."""

from __future__ import annotations

import sys

import polars as pl


def main() -> None:
    kind, source, target = sys.argv[1:]
    frame = pl.scan_csv(source, try_parse_dates=True) if kind == "csv" else pl.scan_ndjson(source)
    frame.sink_parquet(target)


if __name__ == "__main__":
    main()
