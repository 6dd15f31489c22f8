"""The life of a proposal, its names, and by what a cause is known."""

from __future__ import annotations

import pytest

from casparian_flow.core.drift import Axis
from casparian_flow.core.errors import NotFound
from casparian_flow.core.proofs import cause_signature, merged_samples
from casparian_flow.core.proposal_bodies import Selected, selection_digest
from casparian_flow.core.proposals import (
    APPROVERS,
    GOVERNED,
    LETTERS,
    LIVING,
    MOVES,
    Kind,
    Risk,
    State,
    highest,
    label,
    number_of,
)
from casparian_flow.core.replays import STAGES, ReplayStage


def test_a_proposal_is_decided_only_once_it_is_proposed_and_applied_only_once_it_is_approved():
    assert [state for state in State if State.APPROVED in MOVES[state]] == [State.PROPOSED]
    assert [state for state in State if State.APPLIED in MOVES[state]] == [State.APPROVED]
    assert MOVES[State.APPROVED] == {State.APPLIED, State.VOID}
    assert {state.value for state in State} - LIVING == {"applied", "rejected", "withdrawn", "void"}
    assert {State.APPROVED, State.APPLIED} == GOVERNED


@pytest.mark.parametrize("moves", [MOVES, STAGES])
def test_every_state_leads_to_an_end(moves):
    reached = {state for state, steps in moves.items() if not steps}
    while more := {state for state in moves if moves[state] & reached} - reached:
        reached |= more
    assert reached == set(moves) == set(type(next(iter(moves))))


def test_a_replay_that_was_only_tried_cannot_be_done():
    assert STAGES[ReplayStage.CANARY] == {ReplayStage.REST, ReplayStage.DONE, ReplayStage.STOPPED}


def test_the_riskiest_part_is_the_risk_of_the_whole():
    assert highest([Risk.LOSSLESS, Risk.DESTRUCTIVE, Risk.ADDITIVE]) is Risk.DESTRUCTIVE
    assert highest([]) is Risk.ADDITIVE
    assert [APPROVERS[risk] for risk in Risk] == [1, 1, 2, 2]


def test_a_label_and_a_bare_number_name_the_same_proposal():
    assert len(set(LETTERS.values())) == len(Kind)
    for kind in Kind:
        assert number_of(label(kind, 12)) == (12, kind)
    assert (number_of("a-8"), number_of("8")) == ((8, Kind.AMENDMENT), (8, None))
    for bad in ("", "Z-1", "A8", "A-", "-1", "٣", "9" * 19):
        with pytest.raises(NotFound):
            number_of(bad)


def test_every_part_of_a_cause_counts_and_so_does_its_place():
    base = cause_signature("t", Axis.TYPE, "c", "int64")
    others = [
        cause_signature("u", Axis.TYPE, "c", "int64"),
        cause_signature("t", Axis.RULE, "c", "int64"),
        cause_signature("t", Axis.TYPE, "d", "int64"),
        cause_signature("t", Axis.TYPE, "c", "string"),
        cause_signature("t", Axis.TYPE, "cint64"),
    ]
    assert len({base, *others}) == 6


def test_a_selection_is_the_same_in_any_order():
    one, two = Selected(job=1, cause="a"), Selected(job=2, cause="b")
    assert selection_digest([one, two]) == selection_digest([two, one]) != selection_digest([one])
    assert selection_digest([one], ["h"]) != selection_digest([one])


def test_the_samples_that_are_kept_do_not_depend_on_who_came_first():
    assert merged_samples(("b", "a"), ("c", "d")) == merged_samples(("d", "c"), ("a", "b")) == ("a", "b", "c")
