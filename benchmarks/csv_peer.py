"""The peer of the CSV benchmark: DuckDB copies files to Parquet with two threads."""

from __future__ import annotations

import sys

import duckdb


def main() -> None:
    source, target = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 2})
    connection.execute(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet)")


if __name__ == "__main__":
    main()
