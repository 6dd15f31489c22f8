"""Rejections: which row, which columns, why; the frozen codes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from casparian_flow.core.hashing import PREFIX, digest_of_json


class Level(StrEnum):
    """How much of the file a rejection is about."""

    FILE = "file"
    RECORD = "record"
    FIELD = "field"


class Code(StrEnum):
    """Codes of the host; parsers add their own under `cf.<format>.` or their name."""

    CAST = "cf.cast"
    NULL = "cf.null"
    MISSING_COLUMN = "cf.column.missing"
    NEW_COLUMN = "cf.column.new"
    OUTPUT_UNDECLARED = "cf.output.undeclared"


class EntryState(StrEnum):
    """What a person has done about a quarantine entry."""

    OPEN = "open"
    TRIAGED = "triaged"
    FIX_READY = "fix_ready"
    REPLAYED = "replayed"
    WAIVED = "waived"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """Rejections of one job with the same cause."""

    table: str
    code: str
    column: str
    shape: str
    rows: int
    sample: str
    message: str


def group_reference(table: str, code: str, column: str, shape: str) -> str:
    """The short name of a cause: the same in every run, so that a person can come back to it."""
    return digest_of_json(["quarantine", table, code, column, shape]).removeprefix(PREFIX)[:8]
