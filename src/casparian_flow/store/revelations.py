"""Who had closed values shown, and why: facts that a home never forgets."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from casparian_flow.store.meta import set_meta_value

KEY = "quarantine.revealed."
"""The time in nanoseconds and the group follow."""


def keep(connection: Connection, group: str, rows: int, actor: str, reason: str, now_ns: int) -> None:
    """Remember that records of a group were shown to somebody who may decide."""
    told = {"group": group, "rows": rows, "actor": actor, "reason": reason, "at_ns": now_ns}
    set_meta_value(connection, f"{KEY}{now_ns}.{group}", json.dumps(told, sort_keys=True, ensure_ascii=False))
