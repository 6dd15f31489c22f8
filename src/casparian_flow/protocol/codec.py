"""Messages as bytes: a fixed header, then JSON; whatever is not exactly that is refused with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import msgspec

from casparian_flow.core.errors import CasparianError
from casparian_flow.protocol.bodies import FROM_SENTINEL, FROM_WORKER, Body, JobReceipt, JobSurvey
from casparian_flow.protocol.opcodes import HEADER, LARGEST_JOB, VERSION, Opcode, largest_payload
from casparian_flow.protocol.strict import strict

UNKNOWN_VERSION = "unknown-version"
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. `session` is the sender's boot nonce, `seq` its own count of messages, from 1.

    `job` and `attempt` are 0 where the message is about none.
    """

    opcode: Opcode
    session: str
    seq: int
    job: int = 0
    attempt: int = 0
    body: Body


class BadMessage(Exception):
    """Bytes that are no message. `code` is stable; `seq` and `job` are the sender's, 0 if they cannot be read.

    `version` is the sender's where it is another one: what is answered in it may be understood.
    """

    def __init__(self, code: str, message: str, *, job: int = 0, seq: int = 0, version: int = VERSION) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.job = job
        self.seq = seq
        self.version = version


class _Payload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    session: Annotated[str, msgspec.Meta(pattern="^[!-~]{1,64}$")]
    seq: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_JOB)]
    attempt: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_JOB)]
    body: msgspec.Raw


_payloads = msgspec.json.Decoder(_Payload)
_encoder = msgspec.json.Encoder()


def encode(message: Message, *, version: int = VERSION) -> bytes:
    """The bytes of a message; raises BadMessage if it is larger than a message may be.

    Of another version only an ERR is said, which is the same in all of them.
    """
    payload = _encoder.encode(
        {"session": message.session, "seq": message.seq, "attempt": message.attempt, "body": message.body}
    )
    if len(payload) > largest_payload(message.opcode):
        raise BadMessage("too-large", f"{len(payload)} bytes of payload", job=message.job, seq=message.seq)
    return HEADER.pack(version, message.opcode, 0, message.job, len(payload)) + payload


def told_size(outcome: JobReceipt | JobSurvey) -> int:
    """The bytes that an outcome takes in a message; those of a group may take `TOLD_TOGETHER`."""
    return len(_encoder.encode(outcome))


def from_worker(data: bytes) -> Message:
    """The message of a worker or a publisher; raises BadMessage."""
    return _decode(data, FROM_WORKER)


def from_sentinel(data: bytes) -> Message:
    """The message of a sentinel; raises BadMessage."""
    return _decode(data, FROM_SENTINEL)


def _decode(data: bytes, bodies: Mapping[Opcode, type[Body]]) -> Message:
    opcode, job = _header(data)
    if opcode not in bodies:
        raise BadMessage("unknown-opcode", f"opcode {opcode} is not one of this sender", job=job)
    length = len(data) - HEADER.size
    if length > largest_payload(Opcode(opcode)):
        raise BadMessage("too-large", f"{length} bytes of payload", job=job)
    seq = 0
    try:
        payload = _payloads.decode(memoryview(data)[HEADER.size :])
        seq = payload.seq
        checker, decoder = _decoders(bodies[Opcode(opcode)])
        checker.decode(payload.body)
        body = decoder.decode(payload.body)
    except (msgspec.DecodeError, RecursionError, ValueError, CasparianError) as exc:
        raise BadMessage("bad-payload", _reason(exc), job=job, seq=seq) from exc
    return Message(
        opcode=Opcode(opcode), session=payload.session, seq=payload.seq, job=job, attempt=payload.attempt, body=body
    )


def _header(data: bytes) -> tuple[int, int]:
    if len(data) < HEADER.size:
        raise BadMessage("bad-header", f"{len(data)} bytes are no header")
    version, opcode, reserved, job, length = HEADER.unpack_from(data)
    if version != VERSION:
        message = f"version {version} of the protocol is not {VERSION}: both sides need the same version of the product"
        raise BadMessage(UNKNOWN_VERSION, message, seq=_seq_of(data), version=version)
    if reserved or job > LARGEST_JOB:
        raise BadMessage("bad-header", "reserved bits are set, or the job is out of range")
    if length != len(data) - HEADER.size:
        raise BadMessage("bad-header", f"{length} bytes announced, {len(data) - HEADER.size} arrived", job=job)
    return opcode, job


def _seq_of(data: bytes) -> int:
    """The number of a message of another version, whose payload may look as ours does."""
    try:
        return _payloads.decode(memoryview(data)[HEADER.size :]).seq
    except (msgspec.DecodeError, RecursionError, ValueError):
        return 0


def _reason(exc: Exception) -> str:
    """What is wrong, at a length that an answer can carry whatever the peer wrote."""
    return "nested too deep" if isinstance(exc, RecursionError) else str(exc)[:_LONGEST_REASON]


@cache
def _decoders(body: type[Body]) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    """What finds everything that is wrong with a body, then what makes it: the nouns themselves are lenient."""
    return msgspec.json.Decoder(strict(body)), msgspec.json.Decoder(body)
