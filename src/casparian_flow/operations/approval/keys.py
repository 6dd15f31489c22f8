"""Keys: who may decide in this home. The private half of a key never comes here."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.core.proposals import Decision
from casparian_flow.core.signing import KEY_BYTES
from casparian_flow.operations.approval.proposals import Reason
from casparian_flow.operations.registry import Effect, Operation, Reply, Request

PublicKey = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
MOST_NAME = 200


class ListKeys(Request, frozen=True, kw_only=True):
    """Every key."""


class FirstDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the first key of a home is about to sign."""

    proposal: str
    decision: Decision
    reason: Reason = ""


class AddKey(Request, frozen=True, kw_only=True):
    """The public half of an Ed25519 key, and for whom it decides: a login or the name of a token, else who asks.

    With `first` only while the home has no living key, and only where that decision would be taken.
    """

    public: PublicKey
    actor: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME)] | None = None
    first: FirstDecision | None = None


class RevokeKey(Request, frozen=True, kw_only=True):
    """The key that is to decide nothing any more: its name."""

    key: str


class KeyEntry(Reply, frozen=True, kw_only=True):
    """One key: for whom it decides, and who let it in."""

    key: str
    actor: str
    is_in_force: bool
    added: str
    added_by: str
    revoked: str | None


class KeyList(Reply, frozen=True, kw_only=True):
    """Keys, the oldest first, also those that were revoked."""

    keys: list[KeyEntry]


OPERATIONS = (
    Operation(
        "key.add",
        AddKey,
        KeyEntry,
        Effect.EXECUTE,
        "approval.keys.add",
        "Let a key decide for somebody.",
        is_administrative=True,
    ),
    Operation("key.list", ListKeys, KeyList, Effect.READ, "approval.keys.list_", "Who may decide."),
    Operation(
        "key.revoke",
        RevokeKey,
        KeyEntry,
        Effect.EXECUTE,
        "approval.keys.revoke",
        "Let a key decide nothing any more.",
        is_administrative=True,
    ),
)
