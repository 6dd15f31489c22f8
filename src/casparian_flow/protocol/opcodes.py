"""What a message between sentinel and worker is about: version, opcodes, header and limits of size."""

from __future__ import annotations

import struct
from enum import IntEnum

VERSION = 7
HEADER = struct.Struct("!BBHQI")
"""Version, opcode, reserved (zero), job id (zero where a message is about no job), length of the payload in bytes."""
LARGEST_PAYLOAD = 64 << 20
LARGEST_JOB = (1 << 63) - 1


class Opcode(IntEnum):
    """The kind of a message. W: sent by a worker, S: by the sentinel, P: by a publisher."""

    IDENTIFY = 1
    """W: who I am, what I can do, which attempts I hold. Answered by ACK with the terms."""
    DISPATCH = 2
    """S: work. Answered by ERR, SEALED or STOPPED of each of its jobs."""
    ABORT = 3
    """S: stop an attempt and leave nothing of it. Answered by STOPPED."""
    HEARTBEAT = 4
    """W: alive, free slots, progress of each attempt held. S: the echo, which names the same sequence number."""
    CONCLUDE = 5
    """W: promoted. Answered by ACK."""
    ERR = 6
    """W: an attempt failed, nothing of it remains. Answered by ACK. Both: a message could not be accepted."""
    RELOAD = 7
    """S: identify again, what I knew of you is gone."""
    PREPARE_ENV = 8
    """S: make an environment ready. Answered by ENV_READY or ERR."""
    ENV_READY = 9
    """W: an environment can be used."""
    DEPLOY = 10
    """P: an artifact to be registered. Answered by ACK or ERR."""
    ACK = 11
    """Both: the message of that sequence number has been taken in, durably where it changes state."""
    SEALED = 12
    """W: the rows of a group are staged and sealed, or surveyed. Answered by PERMIT, ABORT or ACK (it waits)."""
    PERMIT = 13
    """S: promote exactly these entries. Answered by CONCLUDE."""
    STOPPED = 14
    """W: the process group of an attempt is dead and what it staged is gone, or it was never here. Answered by ACK."""


_SMALL = frozenset(
    {
        Opcode.IDENTIFY,
        Opcode.ABORT,
        Opcode.CONCLUDE,
        Opcode.ERR,
        Opcode.RELOAD,
        Opcode.ENV_READY,
        Opcode.ACK,
        Opcode.STOPPED,
    }
)
LARGEST_SMALL = 1 << 20


TOLD_TOGETHER = 16 << 20
"""In bytes of JSON: what the outcomes of several jobs may take in one message. That of one alone may fill it."""


def largest_payload(opcode: Opcode) -> int:
    """In bytes. Kinds that have little to say may not say much."""
    return LARGEST_SMALL if opcode in _SMALL else LARGEST_PAYLOAD
