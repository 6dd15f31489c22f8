"""Tokens: who may ask over the network, known by the digests of their secrets alone.

Invitations of workers stand in the same table; they open nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from casparian_flow.store.admission import JOIN
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import tokens

_is_for_asking = tokens.c.scopes != JOIN
ADD = insert(tokens)
EVERY = select(tokens).where(_is_for_asking).order_by(tokens.c.name)
NAMED = select(tokens.c.name).where(tokens.c.name == bindparam("token"))
BY_NAME = select(tokens).where(_is_for_asking, tokens.c.name == bindparam("token"))
IN_FORCE = select(tokens).where(
    _is_for_asking,
    tokens.c.digest == bindparam("secret"),
    tokens.c.revoked_at_ns.is_(None),
    tokens.c.expires_at_ns.is_(None) | (tokens.c.expires_at_ns > bindparam("now_ns")),
)
REVOKE = (
    update(tokens)
    .where(_is_for_asking, tokens.c.name == bindparam("token"), tokens.c.revoked_at_ns.is_(None))
    .values(revoked_at_ns=bindparam("now_ns"))
)
TOUCH = update(tokens).where(tokens.c.name == bindparam("token")).values(used_at_ns=bindparam("now_ns"))


def add(
    connection: Connection, name: str, digest: str, scopes: Sequence[str], actor: str, now_ns: int, expires: int | None
) -> None:
    """Keep a new token; its name must not be there yet."""
    connection.execute(
        ADD,
        {
            "name": name,
            "digest": digest,
            "scopes": " ".join(scopes),
            "made_at_ns": now_ns,
            "made_by": actor,
            "expires_at_ns": expires,
        },
    )


def every(connection: Connection) -> Sequence[AnyRow]:
    """All tokens there ever were, by name."""
    return connection.execute(EVERY).all()


def is_taken(connection: Connection, name: str) -> bool:
    """Whether a token or an invitation of that name was ever made."""
    return connection.execute(NAMED, {"token": name}).first() is not None


def token(connection: Connection, name: str) -> AnyRow | None:
    """The token of that name, also when it is revoked or expired."""
    return connection.execute(BY_NAME, {"token": name}).first()


def in_force(connection: Connection, digest: str, now_ns: int) -> AnyRow | None:
    """The token with that digest, if it is neither revoked nor expired."""
    return connection.execute(IN_FORCE, {"secret": digest, "now_ns": now_ns}).first()


def revoke(connection: Connection, name: str, now_ns: int) -> bool:
    """Put the token out of force for good; False if it was already."""
    return connection.execute(REVOKE, {"token": name, "now_ns": now_ns}).rowcount == 1


def touch(connection: Connection, name: str, now_ns: int) -> None:
    """Remember that somebody asked with the token."""
    connection.execute(TOUCH, {"token": name, "now_ns": now_ns})
