"""What each column of a file, or of the files with a tag, can be: by all its values, and which of them decided."""

from __future__ import annotations

import msgspec

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class InferColumns(Request, frozen=True, kw_only=True):
    """Which file, or which tag, read how; one column or all. `to` is a new file for the drafted contracts."""

    path: str
    parser: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)
    column: str | None = None
    all_files: bool = False
    to: str | None = None


class RuledOut(Reply, frozen=True, kw_only=True):
    """A type that the column cannot have, and the first value that says so: its record in which file."""

    type: str
    value: str
    row: int
    file: str


class ColumnEvidence(Reply, frozen=True, kw_only=True):
    """One column: its type over all rows, which other types no value rules out, and which value ruled out the rest.

    `nulls` counts the values that often stand for null, by word.
    """

    table: str
    column: str
    type: str
    format: str | None
    note: str
    could_be: list[str]
    nulls: dict[str, int]
    ruled_out: list[RuledOut]


class FileTrouble(Reply, frozen=True, kw_only=True):
    """A file that could not be read to its end, and why."""

    path: str
    why: str


class Inference(Reply, frozen=True, kw_only=True):
    """Every column of every table. `files_left` have the tag and were not read; `written` holds the drafts."""

    path: str
    parsers: list[str]
    files: int
    files_left: int
    rows: int
    columns: list[ColumnEvidence]
    troubles: list[FileTrouble]
    written: str | None


OPERATIONS = (
    Operation(
        "infer",
        InferColumns,
        Inference,
        Effect.READ,
        "parser.infer.infer",
        "What each column of a file can be, and why.",
        reads=("path", "parser"),
        writes=("to",),
    ),
)
