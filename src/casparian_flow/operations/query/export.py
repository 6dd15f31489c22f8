"""Writes one table, as it is now or as it was, to one file."""

from __future__ import annotations

from casparian_flow.operations.query.file_format import FileFormat
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ExportTable(Request, frozen=True, kw_only=True):
    """One table, and where its rows go: a file, a folder, or `-` for the standard output of whoever answers.

    Without `to` the file is `TABLE.FORMAT` where the asker stands; without a format the file's extension names it,
    else it is Parquet. `as_of` is a snapshot, a job or a time. The values of `redact` columns are left
    out; the columns stay.
    """

    table: str
    to: str | None = None
    format: FileFormat | None = None
    as_of: str | None = None
    sink: str | None = None
    quarantine: bool = False
    csv_safe: bool = False
    redact: tuple[str, ...] = ()
    overwrite: bool = False


class ExportedTable(Reply, frozen=True, kw_only=True):
    """What was written. `redacted` columns hold nulls alone; `path` is null for standard output."""

    table: str
    sink: str
    path: str | None
    format: FileFormat
    rows: int
    redacted: list[str]


OPERATIONS = (
    Operation(
        "export",
        ExportTable,
        ExportedTable,
        Effect.READ,
        "query.export.export",
        "Write a table to one file.",
        writes=("table", "to"),
    ),
)
