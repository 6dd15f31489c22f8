"""DuckDB copies every file of a folder to a Parquet file of its own: READER FOLDER TARGET."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def main() -> None:
    reader, folder, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    target.mkdir()
    connection = duckdb.connect(config={"threads": 2})
    for path in sorted(folder.iterdir()):
        connection.execute(f"COPY (FROM {reader}('{path}')) TO '{target / path.stem}.parquet' (FORMAT parquet)")


if __name__ == "__main__":
    main()
