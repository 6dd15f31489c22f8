"""The public keys of those who decide."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.signing import KEY_BYTES, key_id
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import keys

ENROL = insert(keys)
BY_ID = select(keys).where(keys.c.key_id == bindparam("key"))
EVERY = select(keys).order_by(keys.c.added_at_ns, keys.c.key_id)
LIVING = EVERY.where(keys.c.revoked_at_ns.is_(None))
REVOKE = (
    update(keys)
    .where(keys.c.key_id == bindparam("key"), keys.c.revoked_at_ns.is_(None))
    .values(revoked_at_ns=bindparam("now_ns"))
)
ACTORS = (
    select(keys.c.actor)
    .distinct()
    .where(or_(keys.c.revoked_at_ns.is_(None), keys.c.revoked_at_ns >= bindparam("since")))
    .order_by(keys.c.actor)
)


def enrol(connection: Connection, public: bytes, *, actor: str, added_by: str, now_ns: int) -> str:
    """Let whoever holds the private half of a key decide in the name of that actor; the name of the key.

    Enrolled again for the same actor nothing changes. Raises UsageError for what is no key, for a key of another actor,
    and for one that was revoked.
    """
    if len(public) != KEY_BYTES:
        raise UsageError(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(public)}")
    name = key_id(public)
    known = connection.execute(BY_ID, {"key": name}).first()
    if known is None:
        values = {"key_id": name, "actor": actor, "public": public, "added_at_ns": now_ns, "added_by": added_by}
        connection.execute(ENROL, values)
    elif known.revoked_at_ns is not None:
        raise UsageError(f"the key {name} was revoked", fix="casparian key add")
    elif known.actor != actor:
        raise UsageError(f"the key {name} belongs to {known.actor}", fix="casparian key add")
    return name


def key(connection: Connection, name: str) -> AnyRow | None:
    """One key, revoked or not."""
    return connection.execute(BY_ID, {"key": name}).first()


def every_key(connection: Connection) -> list[AnyRow]:
    """All keys that ever were, the oldest first."""
    return list(connection.execute(EVERY))


def living_keys(connection: Connection) -> list[AnyRow]:
    """Those that were not revoked."""
    return list(connection.execute(LIVING))


def actors(connection: Connection, since_ns: int | None = None) -> list[str]:
    """To whom the living keys belong, each once, sorted.

    About what was proposed at a moment, the keys that lived then or later count, too: nobody gets to decide alone by
    revoking the keys of the others.
    """
    return list(connection.execute(ACTORS, {"since": since_ns}).scalars())


def is_single_person(connection: Connection, since_ns: int | None = None) -> bool:
    """Whether all keys that count, one at least, belong to one actor: then that person alone is enough."""
    return len(actors(connection, since_ns)) == 1


def revoke(connection: Connection, name: str, now_ns: int) -> None:
    """From now on the key decides nothing; raises NotFound for one that is not there, or not any more."""
    if connection.execute(REVOKE, {"key": name, "now_ns": now_ns}).rowcount != 1:
        raise NotFound(f"there is no living key {name!r}", fix="casparian key list")
