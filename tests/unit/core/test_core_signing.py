"""Decisions that are signed, forged, used for something else, and said again."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from casparian_flow.core.errors import ApprovalInvalid
from casparian_flow.core.proposals import Decision
from casparian_flow.core.signing import DOMAIN, Statement, key_id, new_private_key, public_half, sign, verify

STATEMENT = Statement(
    home="0f" * 16,
    proposal=8,
    digest="blake3:9af4",
    decision=Decision.APPROVE,
    actor="dana",
    reason="ticket 5512",
    at_ns=1_772_445_600_000_000_000,
)
PRIVATE = bytes(range(32))
OTHER = {
    "home": "f0" * 16,
    "proposal": 9,
    "digest": "blake3:9af5",
    "decision": Decision.REJECT,
    "actor": "kim",
    "reason": "",
    "at_ns": 1,
}


def test_who_holds_the_key_signs_and_everybody_can_verify():
    signature = sign(PRIVATE, STATEMENT)
    verify(public_half(PRIVATE), signature, STATEMENT)
    assert sign(PRIVATE, STATEMENT) == signature
    assert len(signature) == 64
    assert STATEMENT.message.startswith(DOMAIN)


@pytest.mark.parametrize("name", [field.name for field in fields(Statement)])
def test_a_signature_is_about_everything_that_was_said(name):
    signature = sign(PRIVATE, STATEMENT)
    with pytest.raises(ApprovalInvalid, match="is not signed"):
        verify(public_half(PRIVATE), signature, replace(STATEMENT, **{name: OTHER[name]}))


def test_texts_that_run_into_each_other_are_not_the_same_statement():
    one = replace(STATEMENT, actor="dana", reason='","x')
    assert one.message != replace(STATEMENT, actor='dana","', reason="x").message


@pytest.mark.parametrize("signature", [b"", b"\x00" * 64, b"\xff" * 64, b"x" * 63])
def test_a_forged_signature_is_refused(signature):
    with pytest.raises(ApprovalInvalid):
        verify(public_half(PRIVATE), signature, STATEMENT)


def test_the_key_of_somebody_else_is_refused():
    mallory = new_private_key()
    assert len(mallory) == 32 and mallory != new_private_key()
    with pytest.raises(ApprovalInvalid) as caught:
        verify(public_half(PRIVATE), sign(mallory, STATEMENT), STATEMENT)
    assert key_id(public_half(PRIVATE)) in caught.value.why


@pytest.mark.parametrize("public", [b"", b"short", b"\xff" * 32])
def test_bytes_that_are_no_key_are_refused(public):
    with pytest.raises(ApprovalInvalid):
        verify(public, sign(PRIVATE, STATEMENT), STATEMENT)
    if len(public) != 32:
        with pytest.raises(ApprovalInvalid):
            public_half(public)


def test_a_key_is_named_after_its_public_half():
    assert key_id(public_half(PRIVATE)) != key_id(public_half(new_private_key()))
    assert len(key_id(public_half(PRIVATE))) == 32
