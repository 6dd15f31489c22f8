"""How a worker on another machine joins: with an invitation once, with its own key from then on."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec

from casparian_flow import __version__
from casparian_flow.core.errors import SentinelMissing, UsageError, WorkerRefused
from casparian_flow.protocol.bodies import Ack, Err, Identify
from casparian_flow.protocol.codec import BadMessage, Message, encode, from_sentinel
from casparian_flow.protocol.invitation import Invitation
from casparian_flow.protocol.keys import Z85, KeyPair, keys_of_secret, new_keys
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.protocol.private_files import read_private, replace_private
from casparian_flow.protocol.zmq_dealer import ZmqDealer
from casparian_flow.protocol.zmq_sockets import Curve

_RESEND = 1.0


class Membership(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a worker's key file holds: who it is, by which key, and which sentinel it trusts."""

    worker: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    endpoint: str
    server: Z85
    keys: KeyPair

    @property
    def curve(self) -> Curve:
        """What `ZmqDealer` needs."""
        return Curve(own=self.keys, server=self.server)


def membership(path: Path) -> Membership:
    """What the key file holds; raises UsageError where there is none."""
    try:
        return read_private(path, Membership)
    except FileNotFoundError as exc:
        raise UsageError(
            "this worker has not joined yet",
            where=str(path),
            fix="casparian worker --join cf-join:… (from an invitation)",
        ) from exc


def join(path: Path, invitation: Invitation, *, host: str, timeout: float = 30.0) -> Membership:
    """Makes this worker known under a key of its own, kept at `path`; again it changes nothing.

    Raises WorkerRefused if the invitation cannot be used (any more), SentinelMissing if nobody answers in time, and
    UsageError if the file belongs to another worker or another sentinel. The key is kept before it is sent: whoever is
    interrupted repeats the command.
    """
    before = _before(path, invitation)
    if before is not None and _is_admitted(before, timeout):
        replace_private(path, before)
        return before
    fresh = Membership(
        worker=invitation.worker, endpoint=invitation.endpoint, server=invitation.server, keys=new_keys()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_private(path, fresh)
    try:
        _use(invitation, fresh.keys.public, host, timeout)
    except WorkerRefused:
        path.unlink()
        raise
    return fresh


def _before(path: Path, invitation: Invitation) -> Membership | None:
    if not path.exists():
        return None
    found = read_private(path, Membership)
    if (found.worker, found.server) != (invitation.worker, invitation.server):
        raise UsageError(
            f"this key file belongs to {found.worker} of another sentinel, or under another name",
            where=str(path),
            fix=f"rm {path}",
        )
    return msgspec.structs.replace(found, endpoint=invitation.endpoint)


def _is_admitted(member: Membership, timeout: float) -> bool:
    until = time.monotonic() + timeout
    with closing(ZmqDealer(member.endpoint, member.worker, curve=member.curve)) as dealer:
        try:
            while not dealer.is_connected:
                dealer.receive(0.05)
                _check_time(until, member.endpoint)
        except WorkerRefused:
            return False
    return True


def _use(invitation: Invitation, public_key: str, host: str, timeout: float) -> None:
    """One IDENTIFY that names the key, repeated until it is acknowledged."""
    session = secrets.token_hex(16)
    about = Identify(
        worker=invitation.worker,
        host=host,
        pid=os.getpid(),
        product=__version__,
        slots=1,
        isolation="",
        key=public_key,
    )
    curve = Curve(own=keys_of_secret(invitation.secret), server=invitation.server)
    until = time.monotonic() + timeout
    with closing(ZmqDealer(invitation.endpoint, invitation.worker, curve=curve)) as dealer:
        seq = 0
        while True:
            seq += 1
            dealer.send(encode(Message(opcode=Opcode.IDENTIFY, session=session, seq=seq, body=about)))
            answer = dealer.receive(min(_RESEND, max(until - time.monotonic(), 0.0)))
            if answer is not None and _is_taken(answer, invitation.endpoint):
                return
            _check_time(until, invitation.endpoint)


def _is_taken(answer: bytes, endpoint: str) -> bool:
    try:
        body = from_sentinel(answer).body
    except BadMessage as exc:
        raise WorkerRefused("the sentinel does not speak as this worker does", where=endpoint, why=str(exc)) from exc
    if isinstance(body, Err):
        raise WorkerRefused(f"the sentinel refused this worker: {body.message}", where=endpoint, why=body.code)
    return isinstance(body, Ack)


def _check_time(until: float, endpoint: str) -> None:
    if time.monotonic() > until:
        raise SentinelMissing("no sentinel answers", where=endpoint)
