"""The watches that a sentinel keeps, also over its restarts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import watches

ADD_WATCH = insert(watches)
WATCHES = select(watches).order_by(watches.c.id)
WATCH_BY_ID = select(watches).where(watches.c.id == bindparam("watch"))
REMOVE_WATCH = delete(watches).where(watches.c.id == bindparam("watch"))


def add_watch(connection: Connection, values: dict[str, Any]) -> int:
    """Keep a watch; its number."""
    key = connection.execute(ADD_WATCH, values).inserted_primary_key
    assert key is not None
    return int(key[0])


def all_watches(connection: Connection) -> Sequence[AnyRow]:
    """Every watch, oldest first."""
    return connection.execute(WATCHES).all()


def watch_by_id(connection: Connection, watch: int) -> AnyRow | None:
    """The watch of that number; None if there is none."""
    return connection.execute(WATCH_BY_ID, {"watch": watch}).one_or_none()


def remove_watch(connection: Connection, watch: int) -> bool:
    """Forget a watch; false if there was none of that number."""
    return connection.execute(REMOVE_WATCH, {"watch": watch}).rowcount == 1
