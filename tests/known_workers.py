"""A sentinel's keys, and a register of workers that needs no database."""

from __future__ import annotations

from casparian_flow.protocol.keys import KeyPair, new_keys

SENTINEL = new_keys()
ANYWHERE = "tcp://127.0.0.1:0"


class Workers:
    """Knows the workers it was told of."""

    def __init__(self, **keys: KeyPair) -> None:
        self.names = {pair.public: name for name, pair in keys.items()}
        self.invited: dict[str, str] = {}
        self.used: dict[str, str] = {}

    def worker_of(self, public_key: str) -> str | None:
        return self.names.get(public_key)

    def is_invited(self, public_key: str) -> bool:
        return public_key in self.invited and public_key not in self.used

    def join(self, invitation: str, public_key: str) -> str | None:
        if self.used.setdefault(invitation, public_key) != public_key or invitation not in self.invited:
            return None
        self.names[public_key] = self.invited[invitation]
        return self.invited[invitation]
