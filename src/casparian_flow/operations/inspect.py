"""Looking at one file: what it is, what its rows would be, what its columns can be. Needs no scan and keeps nothing."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from casparian_flow.core.contracts import Contract, Origin
from casparian_flow.core.errors import NotFound, SourceUnreadable, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.hashing import digest_of_file
from casparian_flow.core.tables import table_from_file_name
from casparian_flow.core.times import rfc3339
from casparian_flow.lab.trial import Trial, try_parser
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.protocol.messages import ParserOrder
from casparian_flow.publish.discover import FoundParser, local_parser, plugin_parsers, shipped_parsers
from casparian_flow.scout.content import sniff
from casparian_flow.sentinel.orders import Registered, parser_order

HEAD_BYTES = 64 << 10
HEX_BYTES = 256


class InspectFile(Request, frozen=True, kw_only=True):
    """Which file."""

    path: str


class FileFacts(Reply, frozen=True, kw_only=True):
    """What a file is by its first bytes; `head` are its first bytes in hexadecimal."""

    path: str
    size: int
    mtime: str
    source_hash: str
    content: str
    reason: str
    parser: str | None
    table: str
    head: str


class PreviewFile(Request, frozen=True, kw_only=True):
    """Which file, read how, and how many rows of each output."""

    path: str
    parser: str | None = None
    options: dict[str, str] = {}
    rows: int = 20


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
    """Rows of one output as they would land."""

    table: str
    columns: list[str]
    types: list[str]
    rows: list[list[msgspec.Raw | str | int | float | bool | None]]
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


class InferColumns(Request, frozen=True, kw_only=True):
    """Which file, read how."""

    path: str
    parser: str | None = None
    options: dict[str, str] = {}


class ColumnEvidence(Reply, frozen=True, kw_only=True):
    """One column: its type over all rows, and which value ruled out each other type."""

    table: str
    column: str
    type: str
    format: str | None
    note: str
    ruled_out: list[str]


class Inference(Reply, frozen=True, kw_only=True):
    """Every column of every output."""

    path: str
    parser: str
    columns: list[ColumnEvidence]
    error: str | None
