"""How often columns were closed in this home, and up to which time what follows from it was done."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.store.meta import meta_value, set_meta_value

CLOSED = "home.closings"
WRITTEN_ANEW = "home.written_anew"
"""The last closing after which the file was written anew: freed pages hold what was said before."""
ORDERS_RENEWED = "home.orders_renewed"
"""The last closing that every attempt which is out knows of."""


def count(connection: Connection) -> int:
    """How often something was closed."""
    return _number(connection, CLOSED)


def add(connection: Connection) -> None:
    """Something is closed in this transaction: the file is to be written anew, and what is out is to be read anew."""
    set_meta_value(connection, CLOSED, str(count(connection) + 1))


def due(connection: Connection) -> int | None:
    """The last closing, if freed pages of the file may still hold what was closed by it."""
    last = count(connection)
    return last if last > _number(connection, WRITTEN_ANEW) else None


def set_done(connection: Connection, closing: int) -> None:
    """The database was written anew after that closing; what was closed meanwhile goes on being due."""
    set_meta_value(connection, WRITTEN_ANEW, str(max(closing, _number(connection, WRITTEN_ANEW))))


def are_orders_older(connection: Connection) -> bool:
    """Whether something was closed since all attempts that were out were given back."""
    return count(connection) > _number(connection, ORDERS_RENEWED)


def set_orders_renewed(connection: Connection, closing: int) -> None:
    """Nothing that was ordered before that closing is out any more."""
    set_meta_value(connection, ORDERS_RENEWED, str(max(closing, _number(connection, ORDERS_RENEWED))))


def _number(connection: Connection, fact: str) -> int:
    return int(meta_value(connection, fact) or 0)
