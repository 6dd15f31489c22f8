"""The keys by which workers on other machines are admitted."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, update

from casparian_flow.store.tables import worker_keys

REVOKE = (
    update(worker_keys)
    .where(worker_keys.c.worker == bindparam("of"), worker_keys.c.revoked_at_ns.is_(None))
    .values(revoked_at_ns=bindparam("now"))
)


def revoke(connection: Connection, worker: str, now_ns: int) -> int:
    """Admit nobody with a key of that worker any more; how many keys that were."""
    return connection.execute(REVOKE, {"of": worker, "now": now_ns}).rowcount
