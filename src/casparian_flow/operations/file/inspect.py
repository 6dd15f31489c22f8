"""Looking at one file: what it is and what its rows would be. Needs no scan and keeps nothing."""

from __future__ import annotations

import msgspec

from casparian_flow.operations.limits import PageSize
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class InspectFile(Request, frozen=True, kw_only=True):
    """Which file."""

    path: str


class FileFacts(Reply, frozen=True, kw_only=True):
    """What a file is by its first bytes; `head` are its first bytes in hexadecimal.

    `encoding` and `line_ends` are null for what is no text.
    """

    path: str
    size: int
    mtime: str
    source_hash: str
    sha256: str
    content: str
    reason: str
    encoding: str | None
    line_ends: str | None
    parser: str | None
    table: str
    head: str


class PreviewFile(Request, frozen=True, kw_only=True):
    """Which file, read how, how many rows of each output, and which columns; none means all.

    `contract` is a file of contracts as `infer --write` makes them, to be used in place of drafted ones.
    """

    path: str
    parser: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)
    rows: PageSize = 20
    columns: tuple[str, ...] = ()
    contract: str | None = None


class VerdictView(Reply, frozen=True, kw_only=True):
    """What the parser detected."""

    name: str
    value: str
    confidence: float
    runner_up: str | None


class RejectionView(Reply, frozen=True, kw_only=True):
    """One rejected row."""

    code: str
    message: str
    start: int | None
    end: int | None


class OutputView(Reply, frozen=True, kw_only=True):
    """Rows of one output as they would land.

    `version` is that of the table's contract, one that its parser declares included; without it one was drafted from
    the rows that were read. Rules about a row among others, such as uniqueness, are not asked.
    """

    table: str
    version: int | None
    columns: list[str]
    types: list[str]
    rows: list[list[str | None]]
    rejected: list[RejectionView]


class Preview(Reply, frozen=True, kw_only=True):
    """What reading the file would give. `error` says why it stopped."""

    path: str
    parser: str
    outputs: list[OutputView]
    verdicts: list[VerdictView]
    printed: list[str]
    error: str | None
    is_cut: bool


OPERATIONS = (
    Operation(
        "inspect",
        InspectFile,
        FileFacts,
        Effect.READ,
        "file.inspect.inspect",
        "What a file is, by its bytes.",
        reads=("path",),
    ),
    Operation(
        "preview",
        PreviewFile,
        Preview,
        Effect.READ,
        "file.inspect.preview",
        "The first rows of a file as they would land.",
        reads=("path", "parser", "contract"),
    ),
)
