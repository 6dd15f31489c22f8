"""The kinds of files that rows are written to."""

from __future__ import annotations

from enum import StrEnum


class FileFormat(StrEnum):
    """What a file of rows can be; also its extension."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
    DUCKDB = "duckdb"
