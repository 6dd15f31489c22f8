"""How what `operations.service.tokens` names is done."""

from __future__ import annotations

import re
import secrets

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.scopes import Scope
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.service.tokens import (
    AddToken,
    ListTokens,
    RevokeToken,
    TokenAdded,
    TokenEntry,
    TokenList,
)
from casparian_flow.store import tokens as store
from casparian_flow.store.engine import AnyRow

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
PREFIX = "cf_"
SECRET_BYTES = 32
DAY_NS = 86_400 * 10**9


def list_(reading: Reading, _request: ListTokens) -> TokenList:
    """Every token, without its secret."""
    return TokenList(tokens=[_entry(row, reading.now_ns) for row in store.every(reading.connection)])


def add(acting: Acting, request: AddToken) -> TokenAdded:
    """Make a token and tell its secret, which cannot be had a second time; raises UsageError for a taken name."""
    if not NAME.fullmatch(request.name):
        raise UsageError(
            f"{request.name!r} cannot name a token", why="a name has 1 to 60 of a-z, 0-9, -, _ and ., no sign first"
        )
    secret, now = PREFIX + secrets.token_urlsafe(SECRET_BYTES), acting.clock()
    with acting.database.transaction() as connection:
        if store.is_taken(connection, request.name):
            raise UsageError(
                f"there was a token {request.name} already",
                why="a name stands for one token for ever, so that what was done with it stays known",
                fix="choose another name",
            )
        store.add(
            connection,
            request.name,
            digest_of(secret.encode()),
            [scope for scope in Scope if scope in request.scopes],
            acting.actor,
            now,
            None if request.days is None else now + request.days * DAY_NS,
        )
        return TokenAdded(token=_named(connection, request.name, now), secret=secret)


def revoke(acting: Acting, request: RevokeToken) -> TokenEntry:
    """Put a token out of force from now on; doing it again changes nothing. Raises NotFound."""
    now = acting.clock()
    with acting.database.transaction() as connection:
        _named(connection, request.name, now)
        store.revoke(connection, request.name, now)
        return _named(connection, request.name, now)


def _named(connection: Connection, name: str, now_ns: int) -> TokenEntry:
    row = store.token(connection, name)
    if row is None:
        raise NotFound(f"there is no token {name}", fix="casparian token list")
    return _entry(row, now_ns)


def _entry(row: AnyRow, now_ns: int) -> TokenEntry:
    return TokenEntry(
        name=row.name,
        scopes=[Scope(word) for word in row.scopes.split()],
        is_in_force=row.revoked_at_ns is None and (row.expires_at_ns is None or row.expires_at_ns > now_ns),
        made=rfc3339(row.made_at_ns),
        made_by=row.made_by,
        expires=_moment(row.expires_at_ns),
        used=_moment(row.used_at_ns),
        revoked=_moment(row.revoked_at_ns),
    )


def _moment(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339(at_ns)
