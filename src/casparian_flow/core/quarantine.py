"""Rejections: which row, which columns, why; the frozen codes."""

from __future__ import annotations

import re
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
    REPAIR = "cf.repair"


class EntryState(StrEnum):
    """What a person has done about a quarantine entry."""

    OPEN = "open"
    TRIAGED = "triaged"
    FIX_READY = "fix_ready"
    REPLAYED = "replayed"
    WAIVED = "waived"
    PURGED = "purged"


ENTRY_MOVES: dict[EntryState, frozenset[EntryState]] = {
    EntryState.OPEN: frozenset(set(EntryState) - {EntryState.OPEN}),
    EntryState.TRIAGED: frozenset(set(EntryState) - {EntryState.TRIAGED}),
    EntryState.FIX_READY: frozenset(set(EntryState) - {EntryState.FIX_READY, EntryState.TRIAGED}),
    EntryState.REPLAYED: frozenset({EntryState.OPEN}),
    EntryState.WAIVED: frozenset({EntryState.REPLAYED}),
    EntryState.PURGED: frozenset(),
}
"""What may follow what. A replay that is undone opens its entries again; waived rows that are read again are closed."""
OPEN_STATES = (EntryState.OPEN, EntryState.TRIAGED, EntryState.FIX_READY)
"""Quarantine that somebody still has to deal with."""
TRIAGE = (EntryState.OPEN, EntryState.TRIAGED)
"""What a person moves an entry to without anyone's approval."""
ARITY = re.compile(r"(\d{1,9}) fields? where the table has (\d{1,9})")
"""What parsers say of a record with more or fewer fields than the table has."""
TOO_FEW, TOO_MANY = "too few fields", "too many fields"
"""The shapes of such records; no value has one of these, since a run of letters is one `A` in its shape."""


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
    bytes: int = 0
    """What its rows take in the quarantine, before compression."""


def record_shape(message: str) -> str:
    """The form of a record that could not be read: a line that was cut off and one with a field too many have two."""
    counts = ARITY.fullmatch(message)
    if counts is None or int(counts[1]) == int(counts[2]):
        return ""
    return TOO_FEW if int(counts[1]) < int(counts[2]) else TOO_MANY


def group_reference(parser: str, table: str, code: str, column: str, shape: str) -> str:
    """The short name of a cause: the same in every run, so that a person can come back to it.

    Two causes of a home may share one, if hardly ever: what is kept under the name is then about both.
    """
    return digest_of_json(["quarantine", parser, table, code, column, shape]).removeprefix(PREFIX)[:8]
