"""DuckDB copies files to Parquet with two threads: READER GLOB TARGET, where READER is read_csv or read_json."""

from __future__ import annotations

import sys

import duckdb


def main() -> None:
    reader, source, target = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 2})
    connection.execute(f"COPY (FROM {reader}('{source}')) TO '{target}' (FORMAT parquet)")


if __name__ == "__main__":
    main()
