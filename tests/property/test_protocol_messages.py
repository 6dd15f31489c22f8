"""Laws of the wire: every message comes back as it was, and no bytes do anything but become a message or be refused."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from any_body import ANY_JSON, OF_SENTINEL, OF_WORKER
from casparian_flow.protocol.bodies import FROM_SENTINEL, FROM_WORKER
from casparian_flow.protocol.codec import BadMessage, Message, encode, from_sentinel, from_worker
from casparian_flow.protocol.opcodes import HEADER, VERSION

CODES = {"bad-header", "unknown-version", "unknown-opcode", "bad-payload", "too-large"}
Decode = Callable[[bytes], Message]
BOTH: list[Decode] = [from_worker, from_sentinel]


def read(decode: Decode, data: bytes) -> Message | None:
    """The message, or None if it was refused as it should be; whatever else happens fails the test."""
    try:
        message = decode(data)
    except BadMessage as refused:
        assert refused.code in CODES
        assert len(refused.message) <= 600
        assert refused.seq >= 0 and refused.job >= 0
        return None
    return message


@settings(max_examples=60, deadline=None)
@given(OF_WORKER)
def test_what_a_worker_says_arrives_as_it_was_said(message: Message) -> None:
    assert from_worker(encode(message)) == message


@settings(max_examples=60, deadline=None)
@given(OF_SENTINEL)
def test_what_a_sentinel_says_arrives_as_it_was_said(message: Message) -> None:
    assert from_sentinel(encode(message)) == message


@settings(max_examples=60, deadline=None)
@given(OF_WORKER | OF_SENTINEL, st.data())
def test_damaged_messages_are_messages_or_refused(message: Message, data: st.DataObject) -> None:
    whole = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        change = data.draw(st.sampled_from(["flip", "cut", "insert"]))
        if change == "flip":
            whole[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "insert":
            whole[at:at] = data.draw(st.binary(max_size=8))
        elif at:
            del whole[at:]
    if data.draw(st.booleans()) and len(whole) >= HEADER.size:  # as a peer that knows how long its message is
        whole[HEADER.size - 4 : HEADER.size] = (len(whole) - HEADER.size).to_bytes(4, "big")
    for decode in BOTH:
        read(decode, bytes(whole))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_random_bytes_are_refused(data: bytes) -> None:
    for decode in BOTH:
        assert read(decode, data) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20), ANY_JSON, st.booleans(), st.data())
def test_random_json_is_a_message_or_refused(opcode: int, value: object, is_wrapped: bool, data: st.DataObject) -> None:
    payload: object = value
    if is_wrapped:
        payload = {"session": "s", "seq": 1, "attempt": 0, "body": value}
    raw = json.dumps(payload).encode()
    for decode in BOTH:
        read(decode, HEADER.pack(VERSION, opcode, 0, 1, len(raw)) + raw)


@settings(max_examples=60, deadline=None)
@given(OF_WORKER | OF_SENTINEL, ANY_JSON, st.data())
def test_a_value_of_another_kind_anywhere_is_a_message_or_refused(
    message: Message, value: object, data: st.DataObject
) -> None:
    raw = json.loads(encode(message)[HEADER.size :])
    at = raw
    while isinstance(at, dict | list) and at:
        key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.integers(0, 3)) == 0:
            at[key] = value
            break
        at = at[key]
    damaged = json.dumps(raw).encode()
    for decode, bodies in ((from_worker, FROM_WORKER), (from_sentinel, FROM_SENTINEL)):
        if message.opcode in bodies:
            read(decode, HEADER.pack(VERSION, message.opcode, 0, 1, len(damaged)) + damaged)
