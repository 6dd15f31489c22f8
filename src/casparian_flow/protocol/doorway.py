"""What the sentinel's end itself says to a peer on TCP that no worker's name belongs to (yet)."""

from __future__ import annotations

from collections.abc import Callable

from casparian_flow.protocol.bodies import Ack, Body, Err, Identify
from casparian_flow.protocol.codec import BadMessage, Message, encode, from_sentinel, from_worker
from casparian_flow.protocol.opcodes import Opcode

NOT_ADMITTED = "not-admitted"
SESSION = "door"
"""In place of a sentinel's session: these answers are about the connection, not about work."""


def answer_invited(data: bytes, join: Callable[[str], str | None]) -> bytes:
    """The answer to a message on a connection that an invitation's key opened.

    It may do one thing: name, in IDENTIFY, the public key by which the worker is known from then on.
    """
    try:
        message = from_worker(data)
    except BadMessage as exc:
        return refusal(exc.seq, f"this key is not admitted, and its message is no message: {exc.message}")
    if isinstance(message.body, Identify) and message.body.key and join(message.body.key):
        return _answer(Opcode.ACK, Ack(of=message.seq))
    return refusal(message.seq)


def refusal(of: int, message: str = "this key is not admitted") -> bytes:
    """To a peer whose key was revoked, or whose invitation was used up, while it was connected."""
    return _answer(Opcode.ERR, Err(code=NOT_ADMITTED, message=message[:200], of=of))


def is_refusal(data: bytes) -> bool:
    """Whether a sentinel's message says that this peer is not admitted."""
    if data[1:2] != bytes([Opcode.ERR]):
        return False
    try:
        body = from_sentinel(data).body
    except BadMessage:
        return False
    return isinstance(body, Err) and body.code == NOT_ADMITTED


def _answer(opcode: Opcode, body: Body) -> bytes:
    return encode(Message(opcode=opcode, session=SESSION, seq=1, body=body))
