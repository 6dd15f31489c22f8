"""Laws of contracts and proposals as words: what a text, a hash and a digest stand for, and for nothing else."""

from __future__ import annotations

from dataclasses import fields, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from any_governed import BODIES, CONTRACTS, EVIDENCE, PLAIN_CONTRACTS, TERMS
from casparian_flow.core.contract_text import from_json, to_json
from casparian_flow.core.contracts import Contract
from casparian_flow.core.hashing import canonical_json, digest_of_json
from casparian_flow.core.proofs import Evidence, Terms, evidence_digest
from casparian_flow.core.proposal_bodies import Body, body_of, body_text


@settings(max_examples=50, deadline=None)
@given(PLAIN_CONTRACTS)
def test_a_contract_without_rules_and_classes_has_the_hash_and_the_text_of_the_first_release(contract: Contract):
    columns = [[c.name, c.type, c.nullable, c.format] for c in contract.columns]
    assert contract.hash == digest_of_json(["contract", contract.table, columns])
    assert not {"rules", "drift", "tolerance", "treatment", "aliases"} & set(
        canonical_json(to_json(contract)).split('\\"')
    )


@settings(max_examples=50, deadline=None)
@given(CONTRACTS)
def test_a_contract_comes_back_from_its_text(contract: Contract):
    again = from_json(to_json(contract))
    assert again == contract
    assert hash(again) == hash(contract)
    assert again.hash == contract.hash


@settings(max_examples=50, deadline=None)
@given(CONTRACTS)
def test_prose_modes_and_tolerances_are_in_no_hash(contract: Contract):
    told = tuple(replace(column, description="x", note="y", original="z") for column in contract.columns)
    assert (
        replace(contract, columns=told, version=9, drift=(), tolerance=(), takes_undeclared=("own",)).hash
        == contract.hash
    )


@settings(max_examples=60, deadline=None)
@given(BODIES)
def test_what_a_proposal_would_do_comes_back_from_its_text(body: Body):
    assert body_of(body_text(body)) == body


@settings(max_examples=60, deadline=None)
@given(TERMS, TERMS, st.data())
def test_proposals_that_differ_in_anything_have_different_digests(one: Terms, other: Terms, data: st.DataObject):
    assert (one.digest == other.digest) == (one == other)
    name = data.draw(st.sampled_from([field.name for field in fields(Terms)]))
    changed = replace(one, **{name: getattr(other, name)})
    assert (changed.digest == one.digest) == (changed == one)


@settings(max_examples=50, deadline=None)
@given(EVIDENCE, st.randoms(use_true_random=False))
def test_evidence_has_one_digest_in_any_order_and_another_with_any_change(evidence: list[Evidence], random):
    mixed = random.sample(evidence, len(evidence))
    assert evidence_digest(mixed) == evidence_digest(evidence)
    for each in evidence:
        more = [replace(other, rows=other.rows + 1) if other is each else other for other in evidence]
        assert evidence_digest(more) != evidence_digest(evidence)
