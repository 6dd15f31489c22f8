"""Attempts that a worker sealed or surveyed together: asked about once, and stopped, kept and forgotten together."""

from __future__ import annotations

import pytest

from casparian_flow.core.jobs import JobPhase
from casparian_flow.protocol import codec
from casparian_flow.protocol.bodies import Abort, Ack, Conclude, Err, Heartbeat, Identify, Permit, Seal, Sealed, Stopped
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.worker import actions
from worker_wire import Wire, sealed, surveyed


def sealed_three() -> Wire:
    wire = Wire()
    wire.parse(1, 2, 3)
    for job in (1, 2, 3):
        wire.slot("started", job, 1)
    wire.slot("sealed", sealed(1, 2, 3))
    wire.done()
    return wire


def surveyed_three() -> Wire:
    wire = Wire()
    wire.parse(1, 2, 3)
    assert wire.slot("surveyed", surveyed(1, 2, 3))
    wire.ack(wire.last(Seal))
    wire.slot("free", 0)
    wire.done()
    wire.mail.clear()
    return wire


def test_a_group_is_asked_about_once_and_again_with_every_job_of_it() -> None:
    wire = sealed_three()
    assert wire.said(Seal) == [(Seal, 1, 1)]
    wire.tick(1.0)
    again = wire.last(Seal).body
    assert isinstance(again, Seal)
    assert isinstance(again.outcome, Sealed)
    assert [each.job for each in again.outcome.jobs] == [1, 2, 3]
    assert wire.said(Seal) == [(Seal, 1, 1)]


def test_a_permit_is_for_all_and_one_conclusion_ends_all() -> None:
    wire = sealed_three()
    wire.say(Opcode.PERMIT, Permit(entries=[]), 1, 1)
    assert wire.done() == [actions.Answer(1, 1, Permit(entries=[]))]
    wire.tick(1.0)
    assert set(wire.progress().values()) == {JobPhase.PROMOTING}
    wire.mail.clear()
    wire.slot("concluded", 1, 1)
    assert wire.said() == [(Conclude, 1, 1)]
    wire.slot("free", 0)
    wire.tick(1.0)
    wire.ack(wire.last(Conclude))
    assert wire.core.is_idle


def test_a_group_that_cannot_be_promoted_is_the_sentinels_as_a_whole() -> None:
    wire = sealed_three()
    wire.say(Opcode.PERMIT, Permit(entries=[]), 1, 1)
    wire.slot("failed", 1, 1, "sink-unavailable", "away", "", True)
    wire.slot("free", 0)
    wire.ack(wire.last(Err))
    assert wire.core.is_idle


def test_a_group_that_is_held_is_forgotten_as_a_whole() -> None:
    wire = sealed_three()
    wire.ack(wire.last(Seal))
    assert wire.done() == [actions.Answer(1, 1, actions.Held())]
    wire.slot("free", 0)
    assert wire.core.is_idle


@pytest.mark.parametrize("named", [1, 2, 3])
def test_an_abort_of_any_turns_the_whole_sealed_group_down(named: int) -> None:
    wire = sealed_three()
    wire.mail.clear()
    wire.say(Opcode.ABORT, Abort(code="cancelled"), named, 1)
    assert wire.done() == [actions.Answer(1, 1, actions.Fenced("cancelled"))]
    for job in (1, 2, 3):
        wire.slot("stopped", job, 1)
    assert wire.said() == [(Stopped, 1, 1), (Stopped, 2, 1), (Stopped, 3, 1)]
    wire.say(Opcode.PERMIT, Permit(entries=[]), 1, 1)
    assert wire.done() == []


def test_each_of_a_group_that_was_turned_down_is_answered_for_by_itself() -> None:
    wire = sealed_three()
    wire.say(Opcode.ABORT, Abort(code="over-tolerance"), 1, 1)
    wire.mail.clear()
    for job in (1, 2, 3):
        wire.slot("stopped", job, 1)
    first, *_ = [each for each in wire.mail if isinstance(each.body, Stopped)]
    wire.ack(first)
    wire.tick(1.0)
    assert wire.progress().keys() == {2, 3}


def test_who_was_stopped_before_the_seal_takes_its_group_along() -> None:
    wire = Wire()
    wire.parse(1, 2, 3)
    wire.slot("started", 2, 1)
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 2, 1)
    assert wire.done()[1:] == [actions.Stop(2, 1)]
    wire.mail.clear()
    wire.slot("sealed", sealed(1, 2, 3))
    assert wire.done() == [actions.Answer(1, 1, actions.Fenced("it was stopped"))]
    assert wire.said(Seal) == []
    wire.tick(1.0)
    assert set(wire.progress().values()) == {JobPhase.STOPPING}


def test_who_was_stopped_before_the_survey_takes_its_group_along() -> None:
    wire = Wire()
    wire.parse(1, 2)
    wire.slot("started", 1, 1)
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 1, 1)
    assert wire.slot("surveyed", surveyed(1, 2)) is False


@pytest.mark.parametrize("named", [1, 3])
def test_an_abort_of_any_discards_the_whole_surveyed_group_once(named: int) -> None:
    wire = surveyed_three()
    wire.say(Opcode.ABORT, Abort(code="fenced"), named, 1)
    wire.say(Opcode.ABORT, Abort(code="fenced"), 2, 1)
    assert wire.done() == [actions.Discard(((1, 1), (2, 1), (3, 1)))]


def test_heartbeats_name_a_group_that_waits_by_its_leader() -> None:
    wire = surveyed_three()
    wire.tick(1.0)
    assert wire.progress() == {1: JobPhase.SURVEYED}


def test_a_group_is_cast_as_a_whole_and_sealed_without_who_was_stopped() -> None:
    wire = surveyed_three()
    wire.cast(1, 2, 3)
    assert [type(each) for each in wire.done()] == [actions.Begin]
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 2, 1)
    assert wire.done() == [actions.Stop(2, 1)]
    wire.slot("stopped", 2, 1)
    wire.slot("sealed", sealed(1, 3))
    wire.say(Opcode.PERMIT, Permit(entries=[]), 1, 1)
    assert wire.done() == [actions.Answer(1, 1, Permit(entries=[]))]
    wire.tick(1.0)
    assert wire.progress() == {1: JobPhase.PROMOTING, 2: JobPhase.STOPPING, 3: JobPhase.PROMOTING}


def test_a_cast_of_anything_but_the_group_gives_it_back() -> None:
    wire = surveyed_three()
    wire.cast(1, 2)
    assert wire.done() == [actions.Discard(((1, 1), (2, 1), (3, 1)))]


def test_a_worker_that_leaves_gives_a_surveyed_group_back_once() -> None:
    wire = surveyed_three()
    wire.slot("leave")
    assert wire.done() == [actions.Discard(((1, 1), (2, 1), (3, 1)))]


def test_a_worker_that_cannot_hear_keeps_a_sealed_group_and_names_all_of_it() -> None:
    wire = sealed_three()
    wire.tick(10.5)
    assert wire.done() == [actions.Lost()]
    identify = wire.last(Identify).body
    assert isinstance(identify, Identify)
    assert {each.job: each.phase for each in identify.holding} == dict.fromkeys((1, 2, 3), JobPhase.SEALED)


def test_a_group_that_fits_into_no_message_is_tried_again_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "largest_payload", lambda opcode: 600 if opcode is Opcode.SEALED else 1 << 20)
    wire = Wire()
    wire.parse(1, 2, 3)
    wire.slot("sealed", sealed(1, 2, 3))
    [_begin, answer] = wire.done()
    assert isinstance(answer, actions.Answer)
    assert isinstance(answer.answer, actions.Fenced)
    wire.mail.clear()
    wire.slot("stopped", 2, 1)
    error = wire.last(Err).body
    assert isinstance(error, Err)
    assert (error.code, error.transient) == ("outcome-too-large", True)


def test_a_group_whose_message_is_refused_is_tried_again_one_by_one() -> None:
    wire = sealed_three()
    wire.say(Opcode.ERR, Err(code="bad-payload", message="no", of=wire.last(Seal).seq), 1, 1)
    assert wire.done() == [actions.Answer(1, 1, actions.Fenced("no"))]
    wire.slot("stopped", 3, 1)
    error = wire.last(Err)
    assert isinstance(error.body, Err)
    assert (error.job, error.body.code, error.body.transient) == (3, "bad-payload", True)


def test_an_answer_to_an_earlier_asking_will_do() -> None:
    wire = sealed_three()
    first = wire.last(Seal)
    wire.tick(1.0)
    wire.say(Opcode.ACK, Ack(of=first.seq), 1, 1)
    assert wire.done() == [actions.Answer(1, 1, actions.Held())]
    wire.tick(1.0)
    assert [each.body for each in wire.mail if isinstance(each.body, Heartbeat)][-1].progress == []
