"""Persons who decide: each with a key of their own, under any name that a test gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from casparian_flow.core.proposals import Decision
from casparian_flow.core.signing import Statement, key_id, new_private_key, public_half, sign
from casparian_flow.sentinel.governance.deciding import Given
from casparian_flow.store import keys
from casparian_flow.store.meta import home_id
from casparian_flow.store.proposals import one, terms_of


@dataclass(frozen=True)
class Approver:
    """Somebody with a private key."""

    name: str
    private: bytes = field(default_factory=new_private_key)

    @property
    def public(self) -> bytes:
        return public_half(self.private)

    @property
    def key(self) -> str:
        return key_id(self.public)

    def enrol(self, connection: Connection, now_ns: int = 1) -> Approver:
        keys.enrol(connection, self.public, actor=self.name, added_by="owner", now_ns=now_ns)
        return self

    def sign(self, **statement: Any) -> bytes:
        return sign(self.private, Statement(actor=self.name, **statement))

    def says(
        self,
        connection: Connection,
        proposal: int,
        decision: Decision = Decision.APPROVE,
        *,
        reason: str = "looked at it",
        at_ns: int = 50,
    ) -> Given:
        """Their decision about what the proposal is now."""
        digest = one(connection, proposal).digest and terms_of(connection, proposal).digest
        signature = self.sign(
            home=home_id(connection),
            proposal=proposal,
            digest=digest or "",
            decision=decision,
            reason=reason,
            at_ns=at_ns,
        )
        return Given(
            proposal=proposal,
            digest=digest or "",
            actor=self.name,
            reason=reason,
            at_ns=at_ns,
            key=self.key,
            signature=signature,
        )
