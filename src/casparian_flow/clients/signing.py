"""The private key of who decides.

It lies in a file that only its owner reads, beside no home: the same person decides in many. It never leaves this
process; what is sent is a signature.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from casparian_flow.core.errors import KeyMissing
from casparian_flow.core.proposals import Decision, number_of
from casparian_flow.core.signing import Statement, key_id, new_private_key, public_half, sign
from casparian_flow.protocol.private_files import read_private, write_private

VARIABLE = "CASPARIAN_APPROVER_KEY"
"""Names the file, where it is not the usual one."""
USUAL = Path(".config") / "casparian" / "approver.key"


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    private: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return "_Kept()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A decision as it is sent."""

    at_ns: int
    key: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """Whoever holds the private key."""

    _private: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Signer(key={self.key!r})"

    @property
    def public(self) -> bytes:
        """The half that a home is told."""
        return public_half(self._private)

    @property
    def key(self) -> str:
        """The name of the key."""
        return key_id(self.public)

    def sign(self, *, home: str, proposal: str, digest: str, decision: Decision, actor: str, reason: str) -> Signature:
        """The decision, of now, about exactly that digest in that home."""
        statement = Statement(
            home=home,
            proposal=number_of(proposal)[0],
            digest=digest,
            decision=decision,
            actor=actor,
            reason=reason,
            at_ns=time.time_ns(),
        )
        return Signature(at_ns=statement.at_ns, key=self.key, signature=sign(self._private, statement))


def key_file(env: Mapping[str, str]) -> Path:
    """Where the key of this person lies, or would."""
    return Path(env[VARIABLE]) if env.get(VARIABLE) else Path("~").expanduser() / USUAL


def signer_at(path: Path) -> Signer:
    """Whoever's key lies there; raises KeyMissing, UsageError if others may read it, VerificationFailed for others."""
    try:
        return Signer(read_private(path, _Kept).private)
    except FileNotFoundError as exc:
        raise KeyMissing("you have no key to sign with", where=str(path)) from exc


def made_signer(path: Path) -> Signer:
    """Whoever's key lies there, made if there is none."""
    if not path.exists():
        write_private(path, _Kept(private=new_private_key()))
    return signer_at(path)
