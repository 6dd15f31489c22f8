"""Quarantine: rows that did not fit, grouped by cause."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListGroups(Request, frozen=True, kw_only=True):
    """Which groups; what is not given does not restrict."""

    table: str | None = None
    code: str | None = None


class GroupEntry(Reply, frozen=True, kw_only=True):
    """Rows with one cause: what they are in, the code, and what one of them looks like."""

    group: str
    table: str
    code: str
    column: str
    shape: str
    rows: int
    files: int
    message: str
    sample: str
    job: str


class GroupList(Reply, frozen=True, kw_only=True):
    """What waits in quarantine, the largest group first."""

    groups: list[GroupEntry]
    rows: int


OPERATIONS = (
    Operation(
        "quarantine.list", ListGroups, GroupList, Effect.READ, "quarantine.list_", "Rows in quarantine, by cause."
    ),
)
