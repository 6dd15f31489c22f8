"""Tokens: who may ask the control API over the network, and for what."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.core.scopes import Scope
from casparian_flow.operations.registry import Effect, Operation, Reply, Request

MOST_DAYS = 3650


class AddToken(Request, frozen=True, kw_only=True):
    """A token's name, what it allows, and in how many days it ends; without days it holds until it is revoked."""

    name: str
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=len(Scope))]
    days: Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)] | None = None


class ListTokens(Request, frozen=True, kw_only=True):
    """Every token."""


class RevokeToken(Request, frozen=True, kw_only=True):
    """The token to put out of force."""

    name: str


class TokenEntry(Reply, frozen=True, kw_only=True):
    """One token. `used` is when somebody last asked with it, to the minute; its secret is kept nowhere."""

    name: str
    scopes: list[Scope]
    is_in_force: bool
    made: str
    made_by: str
    expires: str | None
    used: str | None
    revoked: str | None


class TokenList(Reply, frozen=True, kw_only=True):
    """Tokens by name, also those that are revoked or expired."""

    tokens: list[TokenEntry]


class TokenAdded(Reply, frozen=True, kw_only=True):
    """The new token. `secret` is what whoever asks must send, and is told this once."""

    token: TokenEntry
    secret: str


OPERATIONS = (
    Operation(
        "token.add",
        AddToken,
        TokenAdded,
        Effect.EXECUTE,
        "service.tokens.add",
        "Let somebody ask over the network.",
        is_administrative=True,
        tells_secret=True,
    ),
    Operation(
        "token.list",
        ListTokens,
        TokenList,
        Effect.READ,
        "service.tokens.list_",
        "Who may ask over the network.",
        is_administrative=True,
    ),
    Operation(
        "token.revoke",
        RevokeToken,
        TokenEntry,
        Effect.EXECUTE,
        "service.tokens.revoke",
        "Put a token out of force.",
        is_administrative=True,
        may_be_tried=True,
    ),
)
