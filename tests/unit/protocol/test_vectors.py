"""The test vectors that other languages are checked with are true of this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.protocol.bodies import FROM_SENTINEL, FROM_WORKER
from casparian_flow.protocol.codec import BadMessage, encode, from_sentinel, from_worker
from casparian_flow.protocol.opcodes import HEADER, Opcode
from protocol_meanings import MEANINGS
from protocol_page import fields_of_every_kind

VECTORS = json.loads((Path(__file__).parents[3] / "docs" / "reference" / "protocol-vectors.json").read_bytes())
DECODE = {"worker": from_worker, "sentinel": from_sentinel}


def named(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(each, id=each["name"].replace(" ", "-")) for each in vectors]


@pytest.mark.parametrize("vector", named(VECTORS["valid"]))
def test_a_vector_is_the_message_that_it_says(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    message = DECODE[vector["sender"]](data)
    assert encode(message) == data
    assert (message.opcode.name, message.job) == (vector["opcode"], vector["job"])
    assert json.loads(data[HEADER.size :]) == vector["payload"]
    assert (message.session, message.seq, message.attempt) == tuple(
        vector["payload"][key] for key in ("session", "seq", "attempt")
    )


@pytest.mark.parametrize("vector", named(VECTORS["malformed"]))
def test_a_malformed_vector_is_refused_as_it_says(vector: dict[str, Any]) -> None:
    with pytest.raises(BadMessage) as caught:
        DECODE[vector["sender"]](bytes.fromhex(vector["hex"]))
    assert (caught.value.code, caught.value.job, caught.value.seq) == (vector["code"], vector["job"], vector["seq"])


def test_every_kind_of_message_has_a_vector() -> None:
    shown = {(each["sender"], Opcode[each["opcode"]]) for each in VECTORS["valid"]}
    assert shown == {("worker", opcode) for opcode in FROM_WORKER} | {("sentinel", opcode) for opcode in FROM_SENTINEL}


def test_every_field_of_a_message_is_explained_and_nothing_else() -> None:
    assert sorted(MEANINGS) == sorted(fields_of_every_kind())
