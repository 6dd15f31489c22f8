"""Signs and verifies decisions.

The private key is Ed25519 and belongs to a person, not to a home. Whoever decides signs where they sit; the home only
ever sees the public half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from casparian_flow.core.errors import ApprovalInvalid
from casparian_flow.core.hashing import PREFIX, canonical_json, digest_of
from casparian_flow.core.proposals import Decision

if TYPE_CHECKING:  # it is imported where it is used: runs have no use for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DOMAIN = b"casparian-flow decision v1\0"
"""Stands before everything that is signed, so that no signature over something else is one over a decision."""
KEY_BYTES = 32
SIGNATURE_BYTES = 64
_KEY_ID = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One decision of one actor about the proposal whose digest is named."""

    home: str
    proposal: int
    digest: str
    decision: Decision
    actor: str
    reason: str
    at_ns: int

    @property
    def message(self) -> bytes:
        """The bytes that are signed."""
        parts = [self.home, self.proposal, self.digest, self.decision, self.actor, self.reason, self.at_ns]
        return DOMAIN + canonical_json(parts).encode()


def new_private_key() -> bytes:
    """A new private key, to be shown to nobody."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    return ed25519.Ed25519PrivateKey.generate().private_bytes_raw()


def public_half(private: bytes) -> bytes:
    """The public key of a private one; raises ApprovalInvalid if that is no key."""
    return _loaded(private).public_key().public_bytes_raw()


def key_id(public: bytes) -> str:
    """The name of a public key: 32 hex digits of its digest."""
    return digest_of(public).removeprefix(PREFIX)[:_KEY_ID]


def sign(private: bytes, statement: Statement) -> bytes:
    """The signature of whoever holds the private key; raises ApprovalInvalid if that is no key."""
    return _loaded(private).sign(statement.message)


def verify(public: bytes, signature: bytes, statement: Statement) -> None:
    """Raises ApprovalInvalid unless the holder of the key signed exactly this statement."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, statement.message)
    except (InvalidSignature, ValueError) as exc:
        raise ApprovalInvalid(
            f"the decision of {statement.actor} about proposal {statement.proposal} is not signed with its key",
            why=f"key {key_id(public)}",
        ) from exc


def _loaded(private: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    try:
        return ed25519.Ed25519PrivateKey.from_private_bytes(private)
    except ValueError as exc:
        raise ApprovalInvalid("the private key cannot be read", fix="casparian key add") from exc
