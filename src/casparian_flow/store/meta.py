"""Facts about the home itself."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from casparian_flow.store.tables import meta

INCARNATION = "incarnation"


def next_incarnation(connection: Connection) -> int:
    """Count one more sentinel over this home; an older one that still runs is fenced by the number."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == INCARNATION)).scalar()
    number = int(found or 0) + 1
    if found is None:
        connection.execute(insert(meta), {"key": INCARNATION, "value": str(number)})
    else:
        connection.execute(update(meta).where(meta.c.key == INCARNATION).values(value=str(number)))
    return number
