"""How what `operations.quarantine` names is done."""

from __future__ import annotations

from casparian_flow.core.quarantine import group_reference
from casparian_flow.operations.context import Reading
from casparian_flow.operations.quarantine import GroupEntry, GroupList, ListGroups
from casparian_flow.store.views import quarantine as view


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
