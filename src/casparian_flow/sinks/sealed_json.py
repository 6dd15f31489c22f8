"""JSON that carries its own digest, so that a torn or altered file is noticed."""

from __future__ import annotations

import json
from typing import Any

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.core.hashing import canonical_json, digest_of


def seal_json(body: Any) -> bytes:
    """`{"body":…,"digest":…}` in canonical form: the same value always gives the same bytes."""
    text = canonical_json(body).encode()
    return b'{"body":%s,"digest":"%s"}\n' % (text, digest_of(text).encode())


def open_text(data: bytes, where: str) -> bytes:
    """The text of the body; raises VerificationFailed, naming `where`, unless the bytes are complete and unaltered."""
    head, middle, tail = b'{"body":', b',"digest":"', b'"}\n'
    text, found, digest = data.removeprefix(head).removesuffix(tail).rpartition(middle)
    if not (found and data.startswith(head) and data.endswith(tail)) or digest_of(text).encode() != digest:
        raise VerificationFailed(
            "a file of the log is damaged",
            where=where,
            why="it is incomplete, or its content does not match the digest inside it",
            fix="restore the file from a backup; nothing was changed",
        )
    return text


def open_json(data: bytes, where: str) -> Any:
    """The body; raises VerificationFailed, naming `where`, unless the bytes are complete and unaltered."""
    try:
        return json.loads(open_text(data, where))
    except ValueError as exc:  # the digest is right, so it was written so
        raise VerificationFailed("a file of the log is not JSON", where=where, why=str(exc)) from exc
    except RecursionError as exc:
        raise VerificationFailed("a file of the log nests too deeply", where=where) from exc
