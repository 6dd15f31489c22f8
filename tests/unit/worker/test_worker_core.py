"""A worker's rules, message by message: what it says, when it says it again, what it gives up and what never."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.protocol.bodies import (
    Abort,
    Cast,
    Conclude,
    Echo,
    EnvReady,
    Err,
    Heartbeat,
    Identify,
    Permit,
    PrepareEnv,
    Reload,
    Seal,
    Stopped,
    Terms,
)
from casparian_flow.protocol.codec import Message, from_worker
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.worker import actions
from worker_wire import Wire, sealed, surveyed


def sealed_one(wire: Wire) -> Message:
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.slot("sealed", sealed(1))
    wire.done()
    return wire.last(Seal)


def test_a_worker_says_who_it_is_every_second_until_it_is_given_terms() -> None:
    wire = Wire(joined=False, slots=3)
    for _ in range(3):
        wire.tick(1.0)
    assert [kind for kind, _, _ in wire.said()] == [Identify] * 4
    wire.tick(1.0)
    wire.accept()
    assert wire.done() == [
        actions.Joined(Terms(worker="w", incarnation=1, lease_ms=15000, heartbeat_ms=1000, fence_ms=10000))
    ]
    assert wire.heartbeat().free == 3
    wire.mail.clear()
    wire.tick(0.9)
    assert wire.mail == []
    wire.tick(0.2)
    assert wire.said(Heartbeat)


def test_an_order_fills_a_slot_and_what_becomes_free_is_told_at_once() -> None:
    wire = Wire(slots=2)
    wire.parse(1, 2)
    [begin] = wire.done()
    assert isinstance(begin, actions.Begin)
    assert begin.slot == 0
    wire.tick(1.0)
    assert wire.heartbeat().free == 1
    assert wire.heartbeat().seen == wire.seq
    assert wire.progress() == {1: JobPhase.STARTING, 2: JobPhase.STARTING}
    wire.slot("started", 1, 1)
    wire.tick(0.1)
    assert wire.progress() == {1: JobPhase.PARSING, 2: JobPhase.STARTING}
    wire.mail.clear()
    wire.slot("free", 0)
    assert wire.heartbeat().free == 2


def test_an_order_without_a_free_slot_is_given_back() -> None:
    wire = Wire(slots=1)
    wire.parse(1)
    wire.done()
    wire.parse(2, 3)
    assert wire.done() == []
    assert wire.said() == [(Stopped, 2, 1), (Stopped, 3, 1)]


def test_what_comes_twice_or_late_changes_nothing() -> None:
    wire = Wire(slots=2)
    wire.parse(1)
    wire.done()
    wire.parse(1)
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 1, 1, seq=1)
    assert wire.done() == []
    assert wire.said() == []


@pytest.mark.parametrize("answer", ["permit", "held", "fenced"])
def test_a_sealed_attempt_asks_until_it_is_answered_and_then_no_more(answer: str) -> None:
    wire = Wire()
    first = sealed_one(wire)
    wire.tick(1.0)
    assert wire.said() == [(Seal, 1, 1), (Seal, 1, 1)]
    if answer == "permit":
        wire.say(Opcode.PERMIT, Permit(entries=[]), 1, 1)
        assert wire.done() == [actions.Answer(1, 1, Permit(entries=[]))]
        wire.slot("concluded", 1, 1)
        wire.tick(1.0)
        assert wire.said() == [(Conclude, 1, 1)] * 2
    elif answer == "held":
        wire.ack(first)
        assert wire.done() == [actions.Answer(1, 1, actions.Held())]
        wire.tick(1.0)
        assert wire.progress() == {}
    else:
        wire.say(Opcode.ABORT, Abort(code="fenced", message="a newer attempt runs"), 1, 1)
        assert wire.done() == [actions.Answer(1, 1, actions.Fenced("a newer attempt runs"))]
        assert wire.said() == []
        wire.slot("stopped", 1, 1)
        assert wire.said() == [(Stopped, 1, 1)]


def test_an_acknowledged_failure_is_forgotten_and_until_then_it_is_in_hand() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.slot("failed", 1, 1, "parser-raised", "x" * 10_000, "why", False)
    err = wire.last(Err)
    assert isinstance(err.body, Err)
    assert len(err.body.message) == 8192
    wire.tick(1.0)
    assert wire.progress() == {1: JobPhase.STOPPING}
    wire.ack(err)
    wire.said()
    wire.tick(1.0)
    assert wire.progress() == {}
    assert wire.said() == []


def test_an_abort_stops_what_runs_and_is_answered_only_when_it_is_dead() -> None:
    wire = Wire()
    wire.parse(1, 2)
    wire.slot("started", 1, 1)
    wire.done()
    for _ in range(3):
        wire.say(Opcode.ABORT, Abort(code="cancelled"), 1, 1)
    assert wire.done() == [actions.Stop(1, 1)]
    wire.tick(1.0)
    assert wire.progress()[1] is JobPhase.STOPPING
    assert wire.said() == []
    wire.slot("stopped", 1, 1)
    wire.ack(wire.last(Stopped))
    wire.tick(1.0)
    assert wire.progress() == {2: JobPhase.STARTING}


def test_an_abort_of_what_was_never_here_is_answered_at_once() -> None:
    wire = Wire()
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 9, 4)
    assert wire.said() == [(Stopped, 9, 4)]
    assert wire.done() == []


def test_a_permitted_attempt_is_never_stopped() -> None:
    wire = Wire()
    sealed_one(wire)
    wire.say(Opcode.PERMIT, Permit(entries=[]), 1, 1)
    wire.done()
    wire.said()
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 1, 1)
    wire.tick(60.0)
    wire.slot("give_up")
    assert actions.Stop(1, 1) not in wire.done()
    assert (Stopped, 1, 1) not in wire.said()


def test_a_seal_that_comes_after_the_abort_is_turned_down_here() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 1, 1)
    wire.done()
    wire.slot("sealed", sealed(1))
    assert wire.done() == [actions.Answer(1, 1, actions.Fenced("it was stopped"))]
    assert wire.said() == []


def test_a_surveyed_attempt_keeps_its_rows_until_it_is_cast() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    assert wire.slot("surveyed", surveyed(1))
    wire.slot("free", 0)
    wire.ack(wire.last(Seal))
    wire.tick(1.0)
    assert wire.progress() == {1: JobPhase.SURVEYED}
    assert wire.heartbeat().free == 1
    wire.done()
    wire.cast(1)
    [begin] = wire.done()
    assert isinstance(begin, actions.Begin)
    assert isinstance(begin.order, Cast)
    wire.tick(1.0)
    assert wire.progress() == {1: JobPhase.CASTING}


def test_a_cast_of_what_is_not_here_any_more_is_given_back() -> None:
    wire = Wire()
    wire.cast(1)
    assert wire.said() == [(Stopped, 1, 1)]
    assert wire.done() == []


def test_an_abort_of_a_surveyed_attempt_discards_what_it_left() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("surveyed", surveyed(1))
    wire.done()
    wire.said()
    wire.say(Opcode.ABORT, Abort(code="awaiting-approval"), 1, 1)
    assert wire.done() == [actions.Discard(((1, 1),))]
    assert wire.said() == []
    wire.slot("stopped", 1, 1)
    assert wire.said() == [(Stopped, 1, 1)]


def test_without_echoes_everything_but_what_is_sealed_is_given_up() -> None:
    wire = Wire(slots=4)
    for job in (1, 2, 3, 4):
        wire.parse(job)
        wire.slot("started", job, 1)
    wire.slot("sealed", sealed(2))
    wire.slot("surveyed", surveyed(3))
    wire.slot("sealed", sealed(4))
    wire.say(Opcode.PERMIT, Permit(entries=[]), 4, 1)
    wire.done()
    wire.tick(1.0)
    wire.echo()
    wire.tick(9.9)
    assert wire.done() == []
    wire.tick(0.2)
    assert wire.done() == [actions.Stop(1, 1), actions.Discard(((3, 1),)), actions.Lost()]
    identify = wire.last(Identify).body
    assert isinstance(identify, Identify)
    assert {each.job: each.phase for each in identify.holding} == {
        1: JobPhase.STOPPING,
        2: JobPhase.SEALED,
        3: JobPhase.STOPPING,
        4: JobPhase.PROMOTING,
    }
    wire.said()
    wire.slot("stopped", 1, 1)
    assert wire.said() == []
    wire.tick(1.0)
    wire.accept()
    assert (Seal, 2, 1) in wire.said(Seal, Stopped)
    assert actions.Lost() not in wire.done()


def test_a_busy_sentinel_of_the_same_process_makes_nobody_give_up() -> None:
    wire = Wire(may_be_cut_off=False)
    wire.parse(1)
    wire.done()
    for _ in range(60):
        wire.tick(1.0)
    assert wire.done() == []


def test_an_identify_names_as_many_attempts_as_fit_and_the_surveys_beyond_are_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("casparian_flow.worker.core.MOST_HELD", 3)
    wire = Wire()
    for job in range(1, 6):
        wire.parse(job)
        wire.slot("surveyed", surveyed(job))
        wire.slot("free", 0)
    wire.mail.clear()
    wire.done()
    wire.say(Opcode.RELOAD, Reload())
    identify = wire.last(Identify).body
    assert isinstance(identify, Identify)
    assert len(identify.holding) == 3
    assert wire.done() == [actions.Discard(((4, 1),)), actions.Discard(((5, 1),))]


def test_an_echo_counts_from_when_its_heartbeat_was_sent() -> None:
    wire = Wire()
    wire.parse(1)
    wire.tick(1.0)
    heartbeat = wire.last(Heartbeat)
    wire.done()
    wire.tick(8.0)
    wire.say(Opcode.HEARTBEAT, Echo(of=heartbeat.seq))
    wire.tick(2.5)
    assert actions.Stop(1, 1) in wire.done()


def test_after_reload_the_worker_tells_what_it_holds_and_says_again_what_is_unanswered() -> None:
    wire = Wire()
    sealed_one(wire)
    wire.said()
    wire.say(Opcode.RELOAD, Reload())
    identify = wire.last(Identify).body
    assert isinstance(identify, Identify)
    assert [(each.job, each.phase) for each in identify.holding] == [(1, JobPhase.SEALED)]
    wire.tick(0.5)
    wire.accept()
    assert wire.said(Seal) == [(Seal, 1, 1)]


def test_another_sentinel_is_obeyed_only_after_it_accepted_this_worker_and_the_former_never_again() -> None:
    wire = Wire()
    wire.session, wire.seq = "s2", 0
    wire.parse(1)
    assert wire.done() == []
    assert wire.said() == [(Identify, 0, 0)]
    wire.tick(1.0)
    wire.accept(incarnation=2)
    wire.done()
    wire.parse(1)
    assert len(wire.done()) == 1
    wire.session, wire.seq = "s1", 1000
    wire.said()
    wire.say(Opcode.ABORT, Abort(code="cancelled"), 1, 1)
    assert wire.done() == []
    assert wire.said() == []


def test_a_superseded_sentinel_is_not_accepted() -> None:
    wire = Wire()
    wire.say(Opcode.RELOAD, Reload())
    wire.accept(incarnation=5)
    wire.say(Opcode.RELOAD, Reload())
    wire.done()
    wire.session, wire.seq = "s0", 0
    wire.tick(1.0)
    wire.accept(incarnation=4)
    assert wire.done() == []
    assert not wire.core.is_joined


def lines_of(message: Heartbeat) -> list[tuple[int, int, Sequence[str]]]:
    return [(each.job, each.first, [line.text for line in each.lines]) for each in message.printed]


def lines(*texts: str) -> list[LogLine]:
    return [LogLine("stdout", text) for text in texts]


def test_printed_lines_are_numbered_and_told_until_they_are_echoed() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.slot("printed", 1, 1, lines("a", "b"))
    wire.tick(0.2)
    assert lines_of(wire.heartbeat()) == [(1, 0, ["a", "b"])]
    wire.slot("printed", 1, 1, lines("c"))
    wire.tick(0.2)
    assert lines_of(wire.heartbeat()) == [(1, 2, ["c"])]
    wire.tick(1.0)
    assert lines_of(wire.heartbeat()) == [(1, 0, ["a", "b", "c"])]
    wire.echo()
    wire.tick(2.0)
    assert lines_of(wire.heartbeat()) == []


def test_what_a_parser_printed_is_told_before_how_it_ended() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.tick(1.0)
    wire.mail.clear()
    wire.slot("printed", 1, 1, lines("last words"))
    wire.slot("failed", 1, 1, "parser-raised", "no", "", False)
    assert [type(each.body) for each in wire.mail] == [Heartbeat, Err]
    assert lines_of(wire.heartbeat()) == [(1, 0, ["last words"])]


def test_whoever_is_read_before_it_was_ever_named_is_named_with_what_it_printed() -> None:
    """Else the sentinel takes its order for lost: it was seen, and nothing is said of it."""
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.slot("printed", 1, 1, lines("hello"))
    wire.mail.clear()
    assert wire.slot("surveyed", surveyed(1))
    assert [type(each.body) for each in wire.mail] == [Heartbeat, Seal]
    assert [(each.job, each.phase) for each in wire.heartbeat().progress] == [(1, JobPhase.SURVEYED)]


def test_lines_lost_after_the_end_of_their_attempt_are_told_again() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("printed", 1, 1, lines("a"))
    wire.slot("failed", 1, 1, "parser-raised", "no", "", False)
    wire.ack(wire.last(Err))
    wire.tick(1.5)
    assert lines_of(wire.heartbeat()) == [(1, 0, ["a"])]
    wire.echo()
    wire.tick(1.5)
    assert lines_of(wire.heartbeat()) == []


def test_more_lines_than_fit_into_a_heartbeat_follow_in_the_next() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("printed", 1, 1, lines(*map(str, range(4500))))
    told: list[str] = []
    for _ in range(3):
        wire.tick(0.2)
        told += [text for _, _, texts in lines_of(wire.heartbeat()) for text in texts]
        wire.echo()
    assert told == [str(n) for n in range(4500)]


def test_how_long_a_parser_is_silent_is_told_and_ends_nothing() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.slot("progressed", 1, 1, 10, 400)
    wire.done()
    for _ in range(3600):
        wire.tick(1.0)
        wire.echo()
    [told] = wire.heartbeat().progress
    assert (told.rows, told.bytes, told.silent_ms) == (10, 400, 3_600_000)
    assert wire.done() == []


def test_what_the_sentinel_has_heard_is_said_again_only_once_an_interval() -> None:
    wire = Wire(slots=2)
    wire.parse(1, 2)
    wire.slot("started", 1, 1)
    wire.tick(0.1)
    assert wire.progress() == {1: JobPhase.PARSING, 2: JobPhase.STARTING}
    wire.slot("started", 1, 1)
    wire.tick(0.1)
    assert wire.progress() == {1: JobPhase.PARSING, 2: JobPhase.STARTING}, "nobody has heard it"
    wire.echo()
    wire.slot("started", 2, 1)
    wire.tick(0.1)
    assert wire.progress() == {2: JobPhase.PARSING}
    wire.echo()
    wire.slot("progressed", 1, 1, 5, 40)
    wire.slot("printed", 2, 1, lines("a"))
    wire.tick(0.1)
    assert wire.progress() == {1: JobPhase.PARSING}
    wire.echo()
    wire.tick(1.0)
    assert wire.progress() == {1: JobPhase.PARSING, 2: JobPhase.PARSING}


def test_another_sentinel_is_told_what_the_former_has_heard() -> None:
    wire = Wire()
    wire.parse(1)
    wire.tick(1.0)
    wire.echo()
    wire.say(Opcode.RELOAD, Reload())
    wire.accept()
    assert wire.progress() == {1: JobPhase.STARTING}
    wire.slot("printed", 1, 1, lines("a"))
    wire.tick(0.2)
    assert wire.progress() == {1: JobPhase.STARTING}, "nobody has heard it"


def test_a_worker_that_leaves_gives_back_what_waits_finishes_what_runs_and_says_goodbye() -> None:
    wire = Wire(slots=2)
    wire.parse(1, 2)
    wire.slot("started", 1, 1)
    wire.parse(3)
    wire.slot("surveyed", surveyed(3))
    wire.slot("free", 1)
    wire.done()
    wire.slot("leave")
    assert wire.done() == [actions.Stop(2, 1), actions.Discard(((3, 1),))]
    assert wire.heartbeat().leaving
    assert wire.heartbeat().free == 0
    wire.mail.clear()
    for job in (2, 3):
        wire.slot("stopped", job, 1)
        wire.ack(wire.last(Stopped))
    wire.parse(4)
    assert (Stopped, 4, 1) in wire.said()
    wire.tick(1.0)
    wire.ack(wire.last(Stopped))
    wire.slot("sealed", sealed(1))
    wire.say(Opcode.PERMIT, Permit(entries=[]), 1, 1)
    wire.slot("concluded", 1, 1)
    wire.slot("free", 0)
    assert not wire.core.is_over
    wire.ack(wire.last(Conclude))
    wire.tick()
    assert wire.progress() == {}
    assert not wire.core.is_over
    wire.echo()
    assert wire.core.is_over


def test_a_worker_that_leaves_names_what_it_finishes_in_every_heartbeat() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.tick(1.0)
    wire.echo()
    wire.mail.clear()
    wire.slot("leave")
    assert wire.heartbeat().leaving
    assert [each.job for each in wire.heartbeat().progress] == [1]


def test_a_survey_that_ends_while_the_worker_leaves_is_given_back() -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    wire.slot("leave")
    assert wire.slot("surveyed", surveyed(1)) is False
    wire.slot("stopped", 1, 1)
    assert wire.last(Stopped).job == 1


def test_bytes_that_are_no_message_are_answered_and_an_error_never_is() -> None:
    wire = Wire()
    wire.core.receive(b"\x05", wire.now)
    wire.core.receive(b"\x04\x02\x00\x00" + bytes(12), wire.now)
    wire.core.receive(b"\x07\x63\x00\x00" + bytes(12), wire.now)
    wire.core.receive(b"\x07\x02\x00\x00" + bytes(8) + b"\x00\x00\x00\x02{}", wire.now)
    wire.core.receive(b"\x07\x06\x00\x00" + bytes(8) + b"\x00\x00\x00\x02{}", wire.now)
    codes = [
        message.body.code for message in map(from_worker, wire.core.take_outgoing()) if isinstance(message.body, Err)
    ]
    assert codes == ["bad-header", "unknown-version", "unknown-opcode", "bad-payload"]


def test_a_sentinel_of_another_version_is_told_to_whoever_started_the_worker() -> None:
    wire = Wire(joined=False)
    wire.core.receive(b"\x05\x06\x00\x00" + bytes(8) + b"\x00\x00\x00\x02{}", wire.now)
    [refused] = wire.core.take_actions()
    assert isinstance(refused, actions.Refused)
    assert "version 5 of the protocol is not 7" in refused.message


def test_an_environment_is_ready_or_not_supported() -> None:
    wire = Wire(environments=["blake3:aa"])
    wire.say(Opcode.PREPARE_ENV, PrepareEnv(env_hash="blake3:aa", lock=""))
    wire.say(Opcode.PREPARE_ENV, PrepareEnv(env_hash="blake3:bb", lock=""))
    ready, err = [each.body for each in wire.mail]
    assert ready == EnvReady(env_hash="blake3:aa")
    assert isinstance(err, Err)
    assert (err.code, err.of) == ("not-supported", wire.seq)


def test_a_refused_worker_says_so() -> None:
    wire = Wire(joined=False)
    wire.say(Opcode.ERR, Err(code="removed", message="this worker was removed", of=wire.last(Identify).seq))
    assert wire.done() == [actions.Refused("removed", "this worker was removed")]


def test_an_outcome_that_no_message_can_hold_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    wire.parse(1)
    wire.slot("started", 1, 1)
    monkeypatch.setattr("casparian_flow.protocol.codec.largest_payload", lambda opcode: 200)
    wire.slot("sealed", sealed(1))
    [_, answer] = wire.done()
    assert isinstance(answer, actions.Answer)
    assert isinstance(answer.answer, actions.Fenced)
    wire.slot("stopped", 1, 1)
    err = wire.last(Err)
    assert isinstance(err.body, Err)
    assert err.body.code == "outcome-too-large"


def test_a_seal_that_the_sentinel_cannot_read_is_a_failure() -> None:
    wire = Wire()
    seal = sealed_one(wire)
    wire.say(Opcode.ERR, Err(code="bad-payload", message="no", of=seal.seq))
    assert wire.done() == [actions.Answer(1, 1, actions.Fenced("no"))]
    wire.slot("stopped", 1, 1)
    assert wire.last(Err).job == 1


def test_thousands_that_wait_for_their_contracts_are_told_once_a_second_only() -> None:
    wire = Wire(slots=2)
    for job in range(1, 101):
        wire.parse(job)
        wire.slot("surveyed", surveyed(job))
        wire.ack(wire.last(Seal))
        wire.slot("free", 0)
    sizes = [len(each.body.progress) for each in wire.mail if isinstance(each.body, Heartbeat)]
    assert max(sizes) == 0
    wire.tick(1.0)
    assert len(wire.heartbeat().progress) == 100
