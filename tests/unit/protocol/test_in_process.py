from __future__ import annotations

from threading import Thread

from casparian_flow.protocol.in_process import InProcessDealer, InProcessRouter
from casparian_flow.protocol.transport import Dealer, Router


def test_messages_go_both_ways_in_order() -> None:
    router: Router = (connected := InProcessRouter())
    dealer: Dealer = connected.connect(b"one")
    dealer.send(b"first")
    dealer.send(b"second")
    assert [router.receive(0), router.receive(1), router.receive(0)] == [(b"one", b"first"), (b"one", b"second"), None]
    assert router.send(b"one", b"answer")
    assert [dealer.receive(1), dealer.receive(0)] == [b"answer", None]
    assert router.name_of(b"one") is None


def test_nobody_is_reached_under_an_unknown_or_closed_identity() -> None:
    router = InProcessRouter()
    assert not router.send(b"one", b"?")
    dealer = router.connect(b"one")
    assert router.send(b"one", b"!")
    dealer.close()
    assert not router.send(b"one", b"?")
    dealer.send(b"late")
    assert router.receive(0) is None


def test_a_newer_end_takes_over_from_the_older_one() -> None:
    router = InProcessRouter()
    older, newer = router.connect(b"one"), router.connect(b"one")
    older.send(b"stale")
    newer.send(b"fresh")
    assert [router.receive(0), router.receive(0)] == [(b"one", b"fresh"), None]
    older.close()
    assert router.send(b"one", b"to the newer")
    assert (older.receive(0), newer.receive(0)) == (None, b"to the newer")
    router.close()
    assert not router.send(b"one", b"?")


def test_another_thread_ends_the_wait_of_either_end() -> None:
    router = InProcessRouter()
    dealer = router.connect(b"one")
    ends: list[InProcessRouter | InProcessDealer] = [router, dealer]
    for end in ends:
        waking = Thread(target=end.wake)
        waking.start()
        assert end.receive(30) is None
        waking.join()
