"""What was told of runs to others: since when, to which file, and what is on its way there."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, bindparam, update

from casparian_flow.store.meta import meta_value, set_meta_value
from casparian_flow.store.tables import runs

TOLD = update(runs).where(runs.c.plan_id == bindparam("plan")).values(told_at_ns=bindparam("now_ns"))
KEY = "lineage_file"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The file to which runs that end after `since_ns` are told.

    While one is being told, `plan` says which, and `offset` where in the file its first event goes.
    """

    path: str
    since_ns: int
    plan: int | None = None
    offset: int = 0


def told(connection: Connection) -> Told | None:
    """What was told so far, None if nobody ever asked for it."""
    text = meta_value(connection, KEY)
    return None if text is None else msgspec.json.decode(text, type=Told)


def set_told(connection: Connection, state: Told) -> None:
    """Keep what is told where."""
    set_meta_value(connection, KEY, msgspec.json.encode(state).decode())


def mark_told(connection: Connection, plan: int, now_ns: int) -> None:
    """All events of a run are in the file, durably."""
    connection.execute(TOLD, {"plan": plan, "now_ns": now_ns})
