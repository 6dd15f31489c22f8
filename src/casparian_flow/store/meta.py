"""Facts that a home remembers about itself."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.store.prepared import Prepared
from casparian_flow.store.tables import meta

INCARNATION = "incarnation"
HOME_ID = "home_id"
LITTERED = "littered_sinks"
META_VALUE = Prepared(select(meta.c.value).where(meta.c.key == bindparam("name")))
_meta = insert(meta)
SET_META_VALUE = _meta.on_conflict_do_update(index_elements=["key"], set_={"value": _meta.excluded.value})


def meta_value(connection: Connection, key: str) -> str | None:
    """A fact, None where it was never told."""
    found = META_VALUE.row(connection, name=key)
    return str(found.value) if found is not None else None


def set_meta_value(connection: Connection, key: str, value: str) -> None:
    """Remember a fact in place of the one before."""
    connection.execute(SET_META_VALUE, {"key": key, "value": value})


def next_incarnation(connection: Connection) -> int:
    """Count one more sentinel over this home; an older one that still runs is fenced by the number."""
    number = int(meta_value(connection, INCARNATION) or 0) + 1
    set_meta_value(connection, INCARNATION, str(number))
    return number


def home_id(connection: Connection) -> str:
    """By what other homes know this one; chosen when it is first asked for, and never changed."""
    if (known := meta_value(connection, HOME_ID)) is not None:
        return known
    chosen = secrets.token_hex(16)
    set_meta_value(connection, HOME_ID, chosen)
    return chosen


def littered_sinks(connection: Connection) -> list[str]:
    """The sinks in which attempts that were lost may have left files."""
    found: list[str] = json.loads(meta_value(connection, LITTERED) or "[]")
    return found


def set_littered_sinks(connection: Connection, sinks: Sequence[str]) -> None:
    """Remember these in place of those before."""
    set_meta_value(connection, LITTERED, json.dumps(list(sinks)))
