"""Cancelling: once, from any thread, acting on what is registered."""

from __future__ import annotations

from casparian_flow.worker.cancel import CancelToken


def test_cancelling_runs_registered_actions_once() -> None:
    token, calls = CancelToken(), list[str]()
    with token.calling(lambda: calls.append("kill")):
        token.cancel()
        token.cancel()
    assert calls == ["kill"]
    assert token.is_cancelled


def test_an_action_is_forgotten_after_its_block() -> None:
    token, calls = CancelToken(), list[str]()
    with token.calling(lambda: calls.append("kill")):
        assert not token.is_cancelled
    token.cancel()
    assert calls == []


def test_registering_after_cancelling_acts_at_once() -> None:
    token, calls = CancelToken(), list[str]()
    token.cancel()
    with token.calling(lambda: calls.append("kill")):
        assert calls == ["kill"]
