"""The kinds of files that rows are written to."""

from __future__ import annotations

from enum import StrEnum

STANDARD_OUTPUT = "-"
"""In place of a file's name: the standard output of whoever answers."""


class FileFormat(StrEnum):
    """What a file of rows can be; also its extension."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
    DUCKDB = "duckdb"
