"""Attempts that only wait are in hand, and nobody looks through them for news."""

from __future__ import annotations

from casparian_flow.core.jobs import JobPhase
from casparian_flow.worker.in_hand import InHand
from casparian_flow.worker.pulse import Pulse


def test_who_waits_is_named_once_an_interval_and_who_works_whenever_there_is_news() -> None:
    held = InHand()
    waiting = held.begin((1, 1), JobPhase.SURVEYED, 0.0)
    working = held.begin((2, 1), JobPhase.PARSING, 0.0)
    held.set_aside([waiting])
    assert list(held.busy) == [working]
    assert set(held) == {(1, 1), (2, 1)}
    pulse = Pulse()
    pulse.start(0.0)
    words = {"free": 0, "seen": 0, "leaving": False}
    whole = pulse.heartbeat(held, 0.0, 1.0, **words)
    assert {each.job for each in whole.progress} == {1, 2}
    assert {each.job for each in pulse.heartbeat(held, 0.5, 1.0, **words).progress} == {2}
    waiting.phase = JobPhase.CASTING
    held.bring_back([waiting])
    assert {each.job for each in pulse.heartbeat(held, 0.6, 1.0, **words).progress} == {1, 2}


def test_who_is_over_does_not_come_back() -> None:
    held = InHand()
    attempt = held.begin((1, 1), JobPhase.SURVEYED, 0.0)
    held.set_aside([attempt])
    held.end([attempt])
    held.bring_back([attempt])
    assert not held
    assert not held.busy


def test_nobody_is_taken_in_hand_past_those_that_are_looked_through_for_news() -> None:
    assert not hasattr(InHand(), "__setitem__")
