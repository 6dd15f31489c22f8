"""dlt loads CSV files with its own reader, as its documentation shows it: FOLDER TARGET, tables land as Parquet.

Its state stays below TARGET, and nothing is sent: telemetry is switched off by whoever starts this.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dlt
from dlt.sources.filesystem import filesystem, read_csv


def main() -> None:
    folder, target = sys.argv[1], Path(sys.argv[2]).resolve()
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=str(target / "pipelines"),
        destination=dlt.destinations.filesystem(bucket_url=(target / "out").as_uri()),
        dataset_name="flows",
    )
    files = filesystem(bucket_url=Path(folder).resolve().as_uri(), file_glob="*.csv") | read_csv()
    pipeline.run(files.with_name("flows"), loader_file_format="parquet", write_disposition="append")
    print(pipeline.last_trace.last_normalize_info.row_counts["flows"])


if __name__ == "__main__":
    main()
