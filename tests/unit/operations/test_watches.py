"""Watches are kept in the home, and a service over a real home goes on with them."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.clients.control import Control
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.registry import Request
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.run import RunFiles
from casparian_flow.operations.source.scan import ScanFiles
from casparian_flow.operations.source.watch import FollowFiles, Watched
from casparian_flow.operations.source.watch_service import WatchService
from casparian_flow.operations.source.watches import AddWatch, ListWatches, OpenWatch, RemoveWatch
from casparian_flow.settings import Home, Settings
from casparian_flow.wiring import open_acting


class Served:
    """The operations of one home, one acting one at a time, and what they told."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.told: queue.Queue[tuple[str, dict[str, object]]] = queue.Queue()
        self._turn = threading.Lock()
        self._control = Control(
            partial(open_reading, self.home, Settings(), folder),
            lambda report: open_acting(self.home, Settings(), folder, report),
        )

    def tell(self, event: str, values: dict[str, object]) -> None:
        self.told.put((event, values))

    def ask(self, name: str, request: Request) -> Any:
        with self._turn:
            return self._control.ask(name, request, self.tell)

    def next(self, event: str) -> dict[str, Any]:
        while True:
            name, values = self.told.get(timeout=60)
            assert name != "watch.failed", values
            if name == event:
                return values


@contextmanager
def serving(served: Served):  # type: ignore[no-untyped-def]
    service = WatchService(served.ask, served.tell, deaf=[bytes(served.home.path.resolve())])
    service.start()
    try:
        yield service
    finally:
        assert service.stop(60)


def test_a_kept_watch_goes_on_whenever_a_service_starts(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("a,b\n1,x\n")
    served = Served(tmp_path)
    kept = served.ask("watch.add", AddWatch(scan=ScanFiles(paths=("in",)), settle_seconds=0.1))
    assert (kept.watch, kept.operation, kept.paths, kept.settle_seconds) == (1, "scan", ["in"], 0.1)
    with serving(served):
        first = served.next("watch.round")
        assert (first["watch"], first["number"], first["new"]) == (1, 1, 1)
    (tmp_path / "in" / "b.csv").write_text("a,b\n1,x\n")
    with serving(served):
        while served.next("watch.round")["new"] != 1:
            pass
    assert [each.watch for each in served.ask("watch.list", ListWatches()).watches] == [1]
    served.ask("watch.remove", RemoveWatch(watch=1))
    assert served.ask("watch.list", ListWatches()).watches == []
    with pytest.raises(NotFound):
        served.ask("watch.open", OpenWatch(watch=1))


@pytest.mark.parametrize(
    "watched",
    [
        AddWatch(),
        AddWatch(scan=ScanFiles(), run=RunFiles()),
        AddWatch(run=RunFiles(plan="@1")),
        AddWatch(run=RunFiles(selection=MakePlan(paths=(".",)), first_contract="perhaps")),
    ],
)
def test_what_cannot_be_watched_is_not_kept(tmp_path: Path, watched: Watched) -> None:
    served = Served(tmp_path)
    with pytest.raises(UsageError):
        served.ask("watch.add", watched)
    assert served.ask("watch.list", ListWatches()).watches == []


def test_a_watch_for_a_time_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    served = Served(tmp_path)
    reply = served.ask("watch.follow", FollowFiles(scan=ScanFiles(paths=("in",)), seconds=0.3))
    assert reply.looks == 1
    assert served.next("watch.round")["is_everything"]


def test_the_command_keeps_and_removes_watches(product_here: Any, tmp_path: Path) -> None:
    answer = product_here("watch", "add", str(tmp_path), "--only-scan", "--json", expect=(0,)).json
    assert answer["operation"] == "scan"
    (listed,) = product_here("watch", "list", "--json", expect=(0,)).json["watches"]
    assert listed["watch"] == answer["watch"]
    assert product_here("watch", "remove", "1", expect=(0,)).out.startswith("watch 1 is removed")
    assert product_here("watch", "remove", "1").code == 5
