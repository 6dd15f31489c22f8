"""The life of a job: what may follow what, and what is final."""

from __future__ import annotations

from itertools import pairwise

import pytest

from casparian_flow.core import ids as ids_module
from casparian_flow.core.errors import IllegalMove, every_error
from casparian_flow.core.ids import JobId, VersionId, new_time_ordered_id, time_ordered_ids
from casparian_flow.core.jobs import FINAL_STATES, MOVES, Job, JobState


def a_job(state: JobState) -> Job:
    return Job(id=JobId(1), version=VersionId(1), attempt=2, state=state)


@pytest.mark.parametrize("start", JobState)
@pytest.mark.parametrize("to", JobState)
def test_a_job_moves_only_along_the_arrows(start, to):
    if to in MOVES[start]:
        moved = a_job(start).move(to)
        assert (moved.state, moved.attempt, moved.id) == (to, 2, 1)
    else:
        with pytest.raises(IllegalMove):
            a_job(start).move(to)


def test_the_four_ends_are_final():
    assert {state.value for state in FINAL_STATES} == {"completed", "failed", "aborted", "rejected"}


@pytest.mark.invariant(3)
def test_what_is_committing_can_only_complete():
    assert MOVES[JobState.COMMITTING] == {JobState.COMPLETED}
    assert [state for state in JobState if JobState.COMMITTING in MOVES[state]] == [JobState.RUNNING]


def test_every_state_leads_to_an_end():
    reached = set(FINAL_STATES)
    while more := {state for state in JobState if MOVES[state] & reached} - reached:
        reached |= more
    assert reached == set(JobState)


def test_later_ids_sort_later_and_fit_in_63_bits():
    ids = [new_time_ordered_id(1_772_445_600_000_000_000 + step * 1_000_000) for step in range(100)]
    assert ids == sorted(ids)
    assert all(0 < each < 2**63 for each in ids)
    assert new_time_ordered_id(4_102_444_800_000_000_000) < 2**63


def test_ids_that_are_made_together_keep_their_order_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_module, "_RANDOM_BITS", 4)
    now = 1_772_445_600_000_000_000
    ids = time_ordered_ids(now, 100)  # more than a millisecond has
    assert len(ids) == 100
    assert all(one < following for one, following in pairwise(ids))
    assert new_time_ordered_id(now - 1_000_000) < ids[0] and ids[-1] < new_time_ordered_id(now + 20_000_000)
    assert (time_ordered_ids(now, 0), len(time_ordered_ids(now, 1))) == ([], 1)


def test_every_error_has_its_own_code_and_an_exit_code_of_the_list():
    codes = [error.code for error in every_error()]
    assert len(codes) == len(set(codes))
    assert {error.exit_code for error in every_error()} <= {1, 2, 4, 5, 6, 7, 9, 130}


def test_an_error_keeps_what_a_person_needs():
    error = IllegalMove("what", where="here", why="because")
    assert (str(error), error.where, error.why, error.fix) == ("what", "here", "because", IllegalMove.hint)
    assert IllegalMove("what", fix="do this").fix == "do this"
