"""Quarantine: rows that did not fit, grouped by cause."""

from __future__ import annotations

from casparian_flow.core.quarantine import group_reference
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.store.views import quarantine as view


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


def list_(reading: Reading, request: ListGroups) -> GroupList:
    """The causes that keep rows in quarantine now."""
    found = view.list_groups(reading.connection, table=request.table, code=request.code)
    groups = [
        GroupEntry(
            **{
                **row,
                "job": str(row["job"]),
                "group": group_reference(row["table"], row["code"], row["column"], row["shape"]),
            }
        )
        for row in found
    ]
    return GroupList(groups=groups, rows=sum(group.rows for group in groups))


OPERATIONS = (Operation("quarantine.list", ListGroups, GroupList, Effect.READ, list_, "Rows in quarantine, by cause."),)
