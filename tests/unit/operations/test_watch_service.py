"""The watches of a service go on beside each other, and one that fails stops no other."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from casparian_flow.core.errors import NotFound, SinkUnavailable
from casparian_flow.operations.registry import Request
from casparian_flow.operations.source.watch_service import WatchService
from casparian_flow.operations.source.watches import (
    ListWatches,
    LookAgain,
    LookedAgain,
    OpenedWatch,
    OpenWatch,
    WatchEntry,
    WatchList,
    WatchRoot,
)


class Home:
    """Answers the questions of a service about some watches, the first of which can only fail."""

    def __init__(self, root: Path, watches: set[int]) -> None:
        self.root = root
        self.watches = watches
        self.broken = {min(watches)}
        self.looks: queue.Queue[LookAgain] = queue.Queue()
        self.told: queue.Queue[tuple[str, dict[str, object]]] = queue.Queue()

    def tell(self, event: str, values: dict[str, object]) -> None:
        self.told.put((event, values))

    def ask(self, _name: str, request: Request) -> object:
        match request:
            case ListWatches():
                return WatchList(watches=[entry(watch) for watch in sorted(self.watches)])
            case OpenWatch(watch=watch):
                if watch not in self.watches:
                    raise NotFound(f"there is no watch {watch}")
                return OpenedWatch(
                    roots=[WatchRoot(source=watch, path=bytes(self.root), only=b"")],
                    settle_seconds=0.0,
                    reconcile_seconds=3600.0,
                    is_hinted=True,
                )
            case LookAgain():
                self.looks.put(request)
                if request.watch in self.broken:
                    raise SinkUnavailable("the target is gone")
                return LookedAgain(growing=[], took={}, is_unfinished=False, rounds=request.rounds + 1)
        raise AssertionError(request)


def entry(watch: int) -> WatchEntry:
    return WatchEntry(
        watch=watch,
        operation="scan",
        paths=[],
        cwd="/",
        settle_seconds=0.0,
        reconcile_seconds=3600.0,
        actor="me",
        added="",
    )


def test_a_watch_that_fails_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    home = Home(tmp_path, {1, 2})
    service = WatchService(home.ask, home.tell)
    service.start()
    try:
        first = [home.looks.get(timeout=20) for _ in range(2)]
        assert {(look.watch, look.parts[0].paths) for look in first} == {(1, None), (2, None)}
        event, values = home.told.get(timeout=20)
        assert (event, values["watch"], values["why"]) == ("watch.failed", 1, "the target is gone")
        (tmp_path / "a.csv").write_text("x")
        looks = []
        while not any(look.watch == 2 and look.rounds == 1 for look in looks):
            looks.append(home.looks.get(timeout=20))
        assert looks[-1].parts[0].paths == (b"a.csv",)
        home.broken.clear()
        while not any(look.watch == 1 for look in looks):
            looks.append(home.looks.get(timeout=20))
    finally:
        assert service.stop()


def test_a_removed_watch_ends_and_a_new_one_begins(tmp_path: Path) -> None:
    home = Home(tmp_path, {1, 2})
    home.broken.clear()
    service = WatchService(home.ask, home.tell)
    service.start()
    try:
        assert {home.looks.get(timeout=20).watch for _ in range(2)} == {1, 2}
        ended = next(thread for thread in threading.enumerate() if thread.name == "watch-1")
        home.watches = {2, 3}
        service.refresh()
        assert home.looks.get(timeout=20).watch == 3
        ended.join(timeout=20)
        assert not ended.is_alive()
    finally:
        assert service.stop()
    service.refresh()
    assert not any(thread.name.startswith("watch-") for thread in threading.enumerate())
