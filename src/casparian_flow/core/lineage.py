"""The reserved columns that every row carries in every sink."""

from __future__ import annotations

from collections.abc import Iterable

RESERVED_PREFIX = "_cf_"

JOB_ID = "_cf_job_id"
FILE_VERSION_ID = "_cf_file_version_id"
SOURCE_HASH = "_cf_source_hash"
SOURCE_ROW = "_cf_source_row"
PARSER_VERSION = "_cf_parser_version"
PROCESSED_AT = "_cf_processed_at"
LINEAGE_COLUMNS = (JOB_ID, FILE_VERSION_ID, SOURCE_HASH, SOURCE_ROW, PARSER_VERSION, PROCESSED_AT)

RESCUED = "_cf_rescued"
"""Values that no column of the contract holds: a list of (column, raw, code)."""

LINEAGE_SAYS = {
    JOB_ID: "the job that brought the row",
    FILE_VERSION_ID: "the file version that was parsed",
    SOURCE_HASH: "the bytes that were parsed",
    SOURCE_ROW: "the position in the source: record ordinal from 1, EVTX record id, SQLite rowid",
    PARSER_VERSION: "the parser, its version and the digest of its files",
    PROCESSED_AT: "when the job was dispatched, in UTC",
    RESCUED: "values that no column of the contract holds",
}


ADDRESS_DIGITS = 16
"""Of a hash, in the address of a row: enough that no home has two that begin alike."""


def row_address(source_hash: str, record: int) -> str:
    """The name of a row that stays its name: the beginning of its bytes' digest, and its position in them."""
    return f"{source_hash.rpartition(':')[2][:ADDRESS_DIGITS]}:{record}"


def reserved_names(names: Iterable[str]) -> list[str]:
    """Those of the names that a parser may not use; the prefix is reserved in any letter case."""
    return [name for name in names if name.casefold().startswith(RESERVED_PREFIX)]
