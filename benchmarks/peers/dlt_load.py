"""dlt loads CSV files with its own reader, as its documentation shows it: FOLDER parquet|duckdb TARGET.

Its state stays below TARGET, and nothing is sent: telemetry is switched off by whoever starts this.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dlt
from dlt.sources.filesystem import filesystem, read_csv


def main() -> None:
    folder, kind, target = sys.argv[1], sys.argv[2], Path(sys.argv[3]).resolve()
    target.mkdir()
    if kind == "duckdb":
        destination = dlt.destinations.duckdb(str(target / "loaded.duckdb"))
    else:
        destination = dlt.destinations.filesystem(bucket_url=(target / "out").as_uri())
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=str(target / "pipelines"),
        destination=destination,
        dataset_name="flows",
    )
    files = filesystem(bucket_url=Path(folder).resolve().as_uri(), file_glob="*.csv") | read_csv()
    pipeline.run(files.with_name("flows"), loader_file_format="parquet", write_disposition="append")
    print(pipeline.last_trace.last_normalize_info.row_counts["flows"])


if __name__ == "__main__":
    main()
