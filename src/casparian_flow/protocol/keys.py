"""CURVE key pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import zmq

from casparian_flow.protocol.private_files import read_private, write_private

Z85 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}$")]
"""32 bytes as ZeroMQ writes them in text."""


class KeyPair(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whoever holds the secret half is who the public half names."""

    public: Z85
    secret: Z85

    def __repr__(self) -> str:
        """Without the secret."""
        return f"KeyPair(public={self.public!r})"


def new_keys() -> KeyPair:
    """A fresh pair."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public=public.decode(), secret=secret.decode())


def keys_of_secret(secret: str) -> KeyPair:
    """The pair that a secret half belongs to."""
    return KeyPair(public=zmq.curve_public(secret.encode()).decode(), secret=secret)


def sentinel_keys(path: Path) -> KeyPair:
    """The key pair of a home's sentinel, made when it is first asked for; of several who make one, one wins."""
    if not path.exists():
        write_private(path, new_keys())
    return read_private(path, KeyPair)
