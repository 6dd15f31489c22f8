"""Where rows go: sink modes, sink URIs and what one output of a job became."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SinkMode(StrEnum):
    """What a commit does to rows that are there already."""

    APPEND = "append"
    REPLACE = "replace"
    ERROR = "error"


class Role(StrEnum):
    """Accepted rows and quarantined rows never share a folder or a log."""

    ACCEPTED = "accepted"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class SinkTarget:
    """A sink as an absolute URI and the mode in which a run writes to it."""

    uri: str
    mode: SinkMode = SinkMode.APPEND


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """A data file in its final place, complete and flushed, visible to nobody yet. `name` is relative to the table."""

    name: str
    rows: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedOutput:
    """Everything one attempt wrote to one table in one role of one sink, named by its absolute URI.

    `row_digest` depends on the rows' values and order alone: not on batch sizes, file bytes, the job or the time.
    """

    sink: str
    table: str
    role: Role
    contract_version: int
    schema_hash: str
    rows: int
    row_digest: str
    files: tuple[SealedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PermittedEntry:
    """One log entry of one sink whose bytes the permit fixed: whoever writes it writes the same."""

    sink: str
    table: str
    role: Role
    seq: int
    body: bytes
