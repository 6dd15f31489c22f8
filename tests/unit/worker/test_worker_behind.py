from __future__ import annotations

import threading

import pytest

from casparian_flow.worker.behind import MOST, MOST_BYTES, Behind


def test_steps_are_done_in_order() -> None:
    behind, done = Behind(), []
    for number in range(50):
        behind.do(lambda number=number: done.append(number))
    behind.finish()
    assert done == list(range(50))


def test_one_thread_does_all_steps_and_is_gone_at_the_end() -> None:
    behind, found = Behind(), []
    for _ in range(5):
        done = threading.Event()
        behind.do(lambda done=done: (found.append(threading.current_thread()), done.set()))
        done.wait()  # so that it has nothing to do in between
    behind.finish()
    assert len(set(found)) == 1
    found[0].join(timeout=10)
    assert not found[0].is_alive()


def test_a_thread_that_nobody_finishes_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casparian_flow.worker.behind.LINGERS_SECONDS", 0.01)
    behind, found = Behind(), []
    behind.do(lambda: found.append(threading.current_thread()))
    while not found:
        pass
    found[0].join(timeout=10)
    assert not found[0].is_alive()
    behind.do(lambda: found.append(threading.current_thread()))
    behind.finish()
    assert len(set(found)) == 2


def test_an_error_reaches_the_caller_and_nothing_is_done_after_it() -> None:
    behind, done = Behind(), []

    def fail() -> None:
        raise OSError("the disk is full")

    behind.do(fail)
    with pytest.raises(OSError, match="the disk is full"):
        behind.finish()
    with pytest.raises(OSError, match="the disk is full"):
        behind.do(lambda: done.append(1))
    assert done == []


@pytest.mark.parametrize(("steps", "size"), [(MOST, 0), (MOST, 1), (1, MOST_BYTES), (4, MOST_BYTES // 4)])
def test_the_caller_waits_when_too_much_waits(steps: int, size: int) -> None:
    behind, go, begun, ordered = Behind(), threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go.wait()

    behind.do(first, size)
    begun.wait()
    for _ in range(steps):
        behind.do(go.wait, size)

    def order() -> None:
        behind.do(go.wait, size)
        ordered.set()

    caller = threading.Thread(target=order)
    caller.start()
    assert not ordered.wait(0.05)
    go.set()
    caller.join()
    behind.finish()
    assert ordered.is_set()


def test_stopping_forgets_what_has_not_begun() -> None:
    behind, go, begun, done = Behind(), threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        go.wait()

    behind.do(first)
    begun.wait()
    behind.do(lambda: done.append(1))
    stopper = threading.Thread(target=behind.stop)
    stopper.start()
    while behind._steps:
        pass
    go.set()
    stopper.join()
    assert done == []


def test_without_a_thread_the_caller_is_told_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    behind, done = Behind(), []
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        behind.do(lambda: done.append(1))
    behind.stop()
    behind.finish()
    assert done == []
