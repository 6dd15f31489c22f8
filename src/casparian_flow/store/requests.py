"""Changes that were asked for over the API, by their keys, so that none is done twice."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import requests

LIFETIME_NS = 24 * 3600 * 10**9
"""How long a key is remembered."""
MOST_KEYS = 10_000
MOST_BYTES = 64 << 20
"""How much of the replies is kept; of more, the oldest go first."""

BEGIN = insert(requests).on_conflict_do_nothing(index_elements=["key"])
BY_KEY = select(requests).where(requests.c.key == bindparam("asked"))
FINISH = (
    update(requests)
    .where(requests.c.key == bindparam("asked"), requests.c.status.is_(None))
    .values(status=bindparam("to"), reply=bindparam("body"))
)
FORGET = delete(requests).where(requests.c.key == bindparam("asked"), requests.c.status.is_(None))
_newest_first = (requests.c.asked_at_ns.desc(), requests.c.key)
_kept = select(
    requests.c.key,
    func.row_number().over(order_by=_newest_first).label("number"),
    func.sum(func.length(requests.c.reply)).over(order_by=_newest_first).label("bytes"),
).subquery()
SWEEP = delete(requests).where(
    or_(
        requests.c.asked_at_ns < bindparam("before_ns"),
        requests.c.key.in_(select(_kept.c.key).where(or_(_kept.c.number > MOST_KEYS, _kept.c.bytes > MOST_BYTES))),
    )
)


def begin(connection: Connection, key: str, digest: str, now_ns: int) -> AnyRow | None:
    """Remember that something is being done under a key; where the key is known, what is known instead."""
    values = {"key": key, "digest": digest, "asked_at_ns": now_ns}
    if connection.execute(BEGIN, values).rowcount == 1:
        return None
    return connection.execute(BY_KEY, {"asked": key}).one()


def finish(connection: Connection, key: str, status: int, reply: bytes) -> None:
    """Remember how it ended."""
    connection.execute(FINISH, {"asked": key, "to": status, "body": reply})


def forget(connection: Connection, key: str) -> None:
    """Nothing was done under the key after all."""
    connection.execute(FORGET, {"asked": key})


def sweep(connection: Connection, now_ns: int) -> None:
    """Drop keys that are too old, and the oldest beyond what is kept."""
    connection.execute(SWEEP, {"before_ns": now_ns - LIFETIME_NS})
