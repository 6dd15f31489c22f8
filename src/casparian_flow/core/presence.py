"""What a running sentinel says about itself in its home, for whoever looks for it."""

from __future__ import annotations

import msgspec

from casparian_flow.core.errors import VerificationFailed


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """One sentinel at work. `started` is RFC 3339; `control` is the path of the socket that commands ask at.

    `api` is where other machines ask, `workers` are the addresses that workers join, and `server_key` is what those on
    other machines know the sentinel by. It was true when it was written: the process may be gone.
    """

    pid: int
    started: str
    product: str
    control: str
    api: str | None = None
    workers: tuple[str, ...] = ()
    server_key: str | None = None


def decode(data: bytes, where: str) -> Presence:
    """The presence that a file holds; raises VerificationFailed if it holds something else."""
    try:
        return msgspec.json.decode(data, type=Presence)
    except (msgspec.DecodeError, UnicodeError) as exc:
        raise VerificationFailed(
            "what a sentinel said about itself cannot be read", where=where, why=str(exc), fix="casparian start"
        ) from exc
