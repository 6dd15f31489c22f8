"""Which workers on other machines may connect: invitations that are used once, and the keys that they bound."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from casparian_flow.core.hashing import digest_of
from casparian_flow.store.tables import tokens, worker_keys

JOIN = "join"
_invitation = (tokens.c.digest == bindparam("invitation"), tokens.c.scopes == JOIN, tokens.c.revoked_at_ns.is_(None))
_is_unused = (tokens.c.used_at_ns.is_(None), tokens.c.expires_at_ns > bindparam("now"))
INVITE = insert(tokens)
IS_INVITED = select(tokens.c.name).where(*_invitation, *_is_unused)
USE_INVITATION = (
    update(tokens).where(*_invitation, *_is_unused).values(used_at_ns=bindparam("now"), used_by=bindparam("key"))
)
USED_BY = select(tokens.c.worker).where(*_invitation, tokens.c.used_by == bindparam("key"))
WITHDRAW_INVITATIONS = (
    update(tokens)
    .where(tokens.c.worker == bindparam("of"), tokens.c.scopes == JOIN)
    .where(tokens.c.used_at_ns.is_(None), tokens.c.revoked_at_ns.is_(None))
    .values(revoked_at_ns=bindparam("now"))
)
BIND_KEY = insert(worker_keys)
WORKER_OF_KEY = select(worker_keys.c.worker).where(
    worker_keys.c.public_key == bindparam("key"), worker_keys.c.revoked_at_ns.is_(None)
)
IS_KNOWN_KEY = select(worker_keys.c.worker).where(worker_keys.c.public_key == bindparam("key"))
REVOKE_KEYS = (
    update(worker_keys)
    .where(worker_keys.c.worker == bindparam("of"), worker_keys.c.revoked_at_ns.is_(None))
    .values(revoked_at_ns=bindparam("now"))
)
KEYS = select(worker_keys).order_by(worker_keys.c.worker, worker_keys.c.admitted_at_ns)


def invite(
    connection: Connection, *, name: str, worker: str, public_key: str, now_ns: int, expires_at_ns: int, actor: str
) -> None:
    """Let whoever holds that key join, once, as that worker. An older invitation of the same worker is withdrawn."""
    connection.execute(WITHDRAW_INVITATIONS, {"of": worker, "now": now_ns})
    connection.execute(
        INVITE,
        {
            "name": name,
            "digest": digest_of(public_key.encode()),
            "scopes": JOIN,
            "made_at_ns": now_ns,
            "made_by": actor,
            "expires_at_ns": expires_at_ns,
            "worker": worker,
        },
    )


def is_invited(connection: Connection, public_key: str, now_ns: int) -> bool:
    """Whether this is the key of an invitation that is neither used nor expired nor withdrawn."""
    given = {"invitation": digest_of(public_key.encode()), "now": now_ns}
    return connection.execute(IS_INVITED, given).first() is not None


def join(connection: Connection, invitation: str, public_key: str, now_ns: int) -> str | None:
    """Use an invitation up and make that key its worker's only one; the worker, or None if the invitation is no good.

    Asked again with the same keys it says the same. A key that belonged to a worker before is not taken again.
    """
    given = {"invitation": digest_of(invitation.encode()), "key": public_key}
    if connection.execute(IS_KNOWN_KEY, given).first() is None:
        if connection.execute(USE_INVITATION, given | {"now": now_ns}).rowcount == 1:
            worker = str(connection.execute(USED_BY, given).scalar_one())
            revoke_key(connection, worker, now_ns)
            connection.execute(BIND_KEY, {"public_key": public_key, "worker": worker, "admitted_at_ns": now_ns})
            return worker
        return None
    if connection.execute(USED_BY, given).first() is None:
        return None
    return worker_of_key(connection, public_key)


def worker_of_key(connection: Connection, public_key: str) -> str | None:
    """The worker whose key this is, None if it is nobody's or was revoked."""
    worker = connection.execute(WORKER_OF_KEY, {"key": public_key}).scalar_one_or_none()
    return str(worker) if worker is not None else None


def revoke_key(connection: Connection, worker: str, now_ns: int) -> int:
    """Shut out whoever holds a key, or an unused invitation, of that worker; how many keys that were."""
    connection.execute(WITHDRAW_INVITATIONS, {"of": worker, "now": now_ns})
    return connection.execute(REVOKE_KEYS, {"of": worker, "now": now_ns}).rowcount


def worker_keys_of(connection: Connection) -> list[RowMapping]:
    """Every key that was ever admitted, by worker, the oldest first."""
    return list(connection.execute(KEYS).mappings())
