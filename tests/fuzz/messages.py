"""Messages between sentinel and worker: whoever reaches the socket can send anything."""

from __future__ import annotations

import json
import random
from pathlib import Path

from casparian_flow.protocol.codec import BadMessage, encode, from_sentinel, from_worker
from casparian_flow.protocol.opcodes import HEADER

from .target import Change, Target

VECTORS = Path(__file__).parents[2] / "docs" / "reference" / "protocol-vectors.json"
MOST_WORDS = 600
"""A refusal fits into an answer whatever the peer wrote."""


def check(data: bytes) -> None:
    """As the words of either side: BadMessage in short, or a message that arrives again as it was."""
    for decode in (from_worker, from_sentinel):
        try:
            message = decode(data)
        except BadMessage as refused:
            assert len(refused.message) <= MOST_WORDS
            continue
        assert decode(encode(message)) == message


def seeds() -> list[bytes]:
    """The test vectors that other languages are checked with."""
    vectors = json.loads(VECTORS.read_bytes())
    return [bytes.fromhex(vector["hex"]) for kind in ("valid", "malformed") for vector in vectors[kind]]


def mutate(data: bytes, change: Change, chance: random.Random) -> bytes:
    """Changes what follows the header, whose length then still says how much that is."""
    if len(data) < HEADER.size:
        return change(data)
    version, opcode, reserved, job, _ = HEADER.unpack_from(data)
    if chance.random() < 0.1:
        opcode = chance.randrange(20)
    payload = change(data[HEADER.size :])
    return HEADER.pack(version, opcode, reserved, job, len(payload)) + payload


TARGET = Target(
    law="only BadMessage is raised, with a short reason; a message that is read is written back the same",
    check=check,
    seeds=seeds,
    mutate=mutate,
)
