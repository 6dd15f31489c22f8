"""What an administrator gives to a new worker: one text with everything that it needs to join, once."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated
from zlib import crc32

import msgspec

from casparian_flow.core.errors import UsageError
from casparian_flow.protocol.keys import Z85

PREFIX = "cf-join:"
_LONGEST = 2000


class Invitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whoever has the secret may join as that worker, while it is valid.

    The secret is the private half of a CURVE key: it proves itself and is never sent. `server` is the sentinel's public
    key: nobody else at that address learns anything.
    """

    worker: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    endpoint: Annotated[str, msgspec.Meta(max_length=300)]
    server: Z85
    secret: Z85

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Invitation(worker={self.worker!r}, endpoint={self.endpoint!r})"

    def to_text(self) -> str:
        """One word of letters, digits, `-`, `_` and a colon, with a checksum against copying errors."""
        data = msgspec.json.encode([self.worker, self.endpoint, self.server, self.secret])
        return PREFIX + base64.urlsafe_b64encode(crc32(data).to_bytes(4, "big") + data).rstrip(b"=").decode()


def invitation_of(text: str) -> Invitation:
    """The invitation that `to_text` wrote; raises UsageError. The text itself is never repeated in a message."""
    word = text.strip()
    if not word.startswith(PREFIX) or len(word) > _LONGEST:
        raise UsageError(
            "this is no invitation", why=f"one begins with {PREFIX}", fix="casparian worker invite (at the sentinel)"
        )
    try:
        packed = word.removeprefix(PREFIX).encode("ascii")
        raw = base64.b64decode(packed + b"=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        if crc32(raw[4:]) != int.from_bytes(raw[:4], "big"):
            raise ValueError("the checksum does not fit")
        worker, endpoint, server, secret = msgspec.json.decode(raw[4:], type=tuple[str, str, str, str])
        given = {"worker": worker, "endpoint": endpoint, "server": server, "secret": secret}
        return msgspec.convert(given, type=Invitation)
    except (binascii.Error, ValueError) as exc:
        raise UsageError("the invitation is damaged", why="it was not copied whole", fix="copy it again") from exc
