from __future__ import annotations

import json
from typing import Any

import pytest

from casparian_flow.core.outputs import Role, SealedOutput
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.protocol.bodies import Ack, Conclude, JobReceipt, Seal, Sealed
from casparian_flow.protocol.codec import BadMessage, Message, encode, from_sentinel, from_worker
from casparian_flow.protocol.opcodes import HEADER, LARGEST_PAYLOAD, LARGEST_SMALL, VERSION, Opcode

OUTPUT = SealedOutput(
    sink="parquet:///out",
    table="sales",
    role=Role.ACCEPTED,
    contract_version=1,
    schema_hash="blake3:00",
    rows=3,
    row_digest="blake3:11",
    files=(),
)
RECEIPT = Receipt(
    counts=(OutputCounts(table="sales", emitted=3, accepted=3, quarantined=0),),
    outputs=(OUTPUT,),
    isolation="none",
    seconds=0.5,
    bytes_read=9,
)
SEAL = Message(
    opcode=Opcode.SEALED,
    session="w",
    seq=2,
    job=7,
    attempt=1,
    body=Seal(outcome=Sealed(jobs=[JobReceipt(job=7, attempt=1, receipt=RECEIPT)])),
)


def packed(opcode: int, payload: bytes, *, version: int = VERSION, reserved: int = 0, job: int = 7) -> bytes:
    return HEADER.pack(version, opcode, reserved, job, len(payload)) + payload


def payload(body: Any = None, **changes: Any) -> bytes:
    return json.dumps({"session": "w", "seq": 3, "attempt": 1, "body": body or {}} | changes).encode()


def refusal(data: bytes) -> tuple[str, int, int]:
    with pytest.raises(BadMessage) as caught:
        from_worker(data)
    return caught.value.code, caught.value.job, caught.value.seq


def test_the_header_is_what_the_page_says() -> None:
    data = encode(Message(opcode=Opcode.CONCLUDE, session="w", seq=3, job=7, attempt=1, body=Conclude()))
    assert data[:16].hex(" ") == "07 05 00 00 00 00 00 00 00 00 00 07 00 00 00 2d"
    assert data[16:] == b'{"session":"w","seq":3,"attempt":1,"body":{}}'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad-header"),
        (bytes(15), "bad-header"),
        (packed(5, payload(), version=4), "unknown-version"),
        (packed(0, payload()), "unknown-opcode"),
        (packed(15, payload()), "unknown-opcode"),
        (packed(255, payload()), "unknown-opcode"),
        (packed(Opcode.PERMIT, payload()), "unknown-opcode"),
        (packed(5, payload(), reserved=1), "bad-header"),
        (packed(5, payload(), job=1 << 63), "bad-header"),
        (packed(5, payload())[:-1], "bad-header"),
        (packed(5, payload()) + b" ", "bad-header"),
        (packed(5, b""), "bad-payload"),
        (packed(5, b"null"), "bad-payload"),
        (packed(5, b"\xff\xfe"), "bad-payload"),
        (packed(5, payload(session="")), "bad-payload"),
        (packed(5, payload(session="a b")), "bad-payload"),
        (packed(5, payload(session="x" * 65)), "bad-payload"),
        (packed(5, payload(seq=0)), "bad-payload"),
        (packed(5, payload(seq=1 << 63)), "bad-payload"),
        (packed(5, payload(seq=True)), "bad-payload"),
        (packed(5, payload(attempt=-1)), "bad-payload"),
        (packed(5, payload(extra=1)), "bad-payload"),
        (packed(5, payload({"extra": 1})), "bad-payload"),
        (packed(11, payload({"of": 10**40})), "bad-payload"),
        (packed(11, payload({"of": 1.0})), "bad-payload"),
        (packed(6, payload({"code": "x" * 201, "message": ""})), "bad-payload"),
        (packed(6, payload() + b" " * LARGEST_SMALL), "too-large"),
        (packed(5, b'{"session":"w","seq":3,"attempt":1,"body":' + b"[" * 100_000), "bad-payload"),
        (packed(5, b'{"session":"w","seq":3,"attempt":1,"body":{}}{}'), "bad-payload"),
        (packed(6, payload({"code": "x", "message": "\ud800"})), "bad-payload"),
    ],
)
def test_what_is_no_message_is_refused_with_its_code(data: bytes, code: str) -> None:
    assert refusal(data)[0] == code


def test_a_refusal_names_job_and_message_as_far_as_they_can_be_read() -> None:
    assert refusal(packed(5, payload({"extra": 1}))) == ("bad-payload", 7, 3)
    assert refusal(packed(5, b"{")) == ("bad-payload", 7, 0)
    assert refusal(packed(99, payload())) == ("unknown-opcode", 7, 0)


def test_a_reason_stays_short_whatever_the_peer_wrote() -> None:
    with pytest.raises(BadMessage) as caught:
        from_worker(packed(5, payload({"x" * 100_000: 1})))
    assert len(caught.value.message) <= 500


def changed(path: list[str | int], value: Any) -> bytes:
    raw = json.loads(encode(SEAL)[HEADER.size :])
    at = raw["body"]["outcome"]["jobs"][0]["receipt"]
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return packed(Opcode.SEALED, json.dumps(raw).encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["counts", 0, "unheard_of"], 1),
        (["outputs", 0, "unheard_of"], 1),
        (["counts", 0, "emitted"], 1 << 63),
        (["counts", 0, "emitted"], -(1 << 63) - 1),
        (["outputs", 0, "role"], "owner"),
        (["outputs", 0, "table"], "x" * ((1 << 20) + 1)),
        (["outputs", 0, "files"], [{}]),
        (["seconds"], "1"),
    ],
)
def test_the_nouns_inside_a_body_are_read_as_strictly(path: list[str | int], value: Any) -> None:
    assert from_worker(changed(["counts", 0, "emitted"], 3)) == SEAL
    assert refusal(changed(path, value)) == ("bad-payload", 7, 2)


def test_a_law_of_a_noun_that_a_message_breaks_makes_it_a_bad_one() -> None:
    """Routes without a sink cannot exist; that must not surface as an error of the user."""
    body = {
        "order": {
            "kind": "cast",
            "parser": {
                "name": "csv", "label": "", "path": "", "artifact_hash": "", "env_hash": "", "tables": "file",
                "requires": [], "declared": [], "shares_process": True, "options": {},
            },
            "jobs": [
                {
                    "job": {
                        "job": 7, "attempt": 1, "path": "", "size": 0, "mtime_ns": 0, "source_hash": "",
                        "file_version": 1, "base_table": "t", "processed_at_ns": 0,
                    },
                    "tables": {},
                }
            ],
            "routes": {"default": [], "topics": {}},
            "contracts": {},
        }
    }  # fmt: skip
    with pytest.raises(BadMessage, match="no sink"):
        from_sentinel(packed(Opcode.DISPATCH, payload(body)))


def test_of_two_fields_with_one_name_the_last_counts() -> None:
    data = packed(Opcode.ACK, b'{"session":"w","seq":3,"attempt":0,"body":{"of":1,"of":2}}')
    assert from_worker(data).body == Ack(of=2)


def test_more_of_one_thing_than_a_message_may_have_is_refused() -> None:
    about = {"worker": "w", "host": "h", "pid": 1, "product": "p", "slots": 1, "isolation": "none"}
    for count, is_too_many in ((100_000, False), (100_001, True)):
        data = packed(Opcode.IDENTIFY, payload(about | {"parsers": [""] * count}))
        if is_too_many:
            assert refusal(data)[0] == "bad-payload"
        else:
            assert len(from_worker(data).body.parsers) == count  # type: ignore[attr-defined]


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(BadMessage, match="bytes of payload"):
        encode(Message(opcode=Opcode.ACK, session="x" * LARGEST_SMALL, seq=1, body=Ack(of=1)))
    assert LARGEST_SMALL < LARGEST_PAYLOAD
