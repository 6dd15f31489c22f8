"""The bytes of rejected records as they stand in their sources, with the place of the fault."""

from __future__ import annotations

from casparian_flow.operations.limits import PageSize
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class AskRaw(Request, frozen=True, kw_only=True):
    """One group by its reference or a unique beginning of it, and how many of its rows."""

    group: str
    rows: PageSize = 20


class RevealRaw(Request, frozen=True, kw_only=True):
    """The same for a table with columns that may not be shown; `reason` is kept with who asked."""

    group: str
    rows: PageSize = 20
    reason: str


class RawRecord(Reply, frozen=True, kw_only=True):
    """One rejected record, read from its source now.

    `text` are its characters; where it is no text, the hexadecimal digits of its bytes, and `is_hex`. The fault is
    from character `fault_start` to before `fault_end`, nothing between two of them where something is missing; null
    where nobody can say. `is_cut`: the record is longer. `is_closed`: its table has columns that may not be shown.
    `trouble` says why there is no text: the source is gone, holds other bytes by now, or has the record packed.
    """

    row: str | None
    path: str
    source_row: int | None
    start: int | None
    end: int | None
    locator: str | None
    message: str
    reason: str
    text: str
    is_hex: bool
    fault_start: int | None
    fault_end: int | None
    is_cut: bool
    is_closed: bool
    trouble: str | None


class RawRecords(Reply, frozen=True, kw_only=True):
    """Records of one group; `left` are the rows of the group that are not among them."""

    group: str
    records: list[RawRecord]
    left: int


OPERATIONS = (
    Operation(
        "quarantine.raw",
        AskRaw,
        RawRecords,
        Effect.READ,
        "quarantine.raw.raw",
        "The bytes of rejected records, with the place of the fault.",
    ),
    Operation(
        "quarantine.reveal",
        RevealRaw,
        RawRecords,
        Effect.APPROVE,
        "quarantine.raw.reveal",
        "The bytes of rejected records of a table with closed columns; that they were shown is kept.",
        tells_secret=True,
    ),
)
