"""A watch goes on whatever happens to one look, and takes no absent folder for an empty one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from casparian_flow.core.errors import NotFound, SinkUnavailable
from casparian_flow.scout.hints import Heard, Root
from casparian_flow.scout.watch import Parts, Timing
from casparian_flow.sentinel.watching import Looked, WatchLoop

SOURCE = 7


class Scene:
    """Hints and a clock that a test plays; each wait takes the time that was asked for, or a scripted hint comes."""

    def __init__(self, root: Path, *, silent: str = "") -> None:
        self.root = root
        self.now = 0.0
        self.silent = {SOURCE: silent} if silent else {}
        self.script: list[tuple[float, Callable[[], Heard]]] = []
        self.told: list[tuple[str, dict[str, object]]] = []
        self.looks: list[tuple[float, Parts]] = []
        self.errors: dict[int, Exception] = {}
        self.opened = 0
        self.is_closed = False

    def open(self, roots: object) -> None:
        self.opened += 1

    def wait(self, seconds: float, stop: threading.Event) -> Heard:
        if self.script and self.script[0][0] <= self.now + seconds:
            at, happens = self.script.pop(0)
            self.now = max(self.now, at)
            return happens()
        self.now += seconds
        return Heard()

    def close(self) -> None:
        self.is_closed = True

    def look(self, parts: Parts, _plans_anyway: bool) -> Looked:
        self.looks.append((round(self.now, 3), parts))
        if error := self.errors.get(len(self.looks)):
            raise error
        return Looked(took={SOURCE: 0.01})

    def run(self, until: float) -> None:
        loop = WatchLoop(
            {SOURCE: Root(bytes(self.root))},
            Timing(settle=2.0, reconcile=60.0),
            self.look,
            self,
            lambda event, values: self.told.append((event, values)),
            clock=lambda: self.now,
        )
        loop.run(threading.Event(), until)


def test_everything_is_looked_at_first_then_what_hints_name_then_everything_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.script = [(10.0, lambda: Heard([(SOURCE, b"a/x"), (SOURCE, b"a"), (SOURCE, b"b")]))]
    scene.run(until=100.0)
    assert scene.looks == [
        (0.0, {SOURCE: None}),
        (10.2, {SOURCE: (b"a", b"b")}),
        (60.0, {SOURCE: None}),
    ]
    assert scene.is_closed


def test_lost_hints_have_everything_looked_at(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.script = [(10.0, lambda: Heard(is_lossy=True))]
    scene.run(until=30.0)
    assert scene.looks == [(0.0, {SOURCE: None}), (10.2, {SOURCE: None})]


def test_without_hints_everything_is_looked_at_at_the_settle_time_and_the_reason_is_told_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, silent="the file system nfs4 does not tell of all changes")
    scene.run(until=7.0)
    assert [at for at, _ in scene.looks] == [0.0, 2.0, 4.0, 6.0]
    assert [event for event, _ in scene.told] == ["watch.polls"]


def test_the_first_error_is_the_callers_and_later_ones_are_told_and_tried_again_ever_later(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.errors = {1: NotFound("there is no parser x")}
    with pytest.raises(NotFound):
        scene.run(until=10.0)
    assert scene.is_closed
    scene = Scene(tmp_path)
    scene.errors = {n: SinkUnavailable("the target is gone") for n in (2, 3, 4)}
    scene.run(until=80.0)
    assert [at for at, _ in scene.looks] == [0.0, 60.0, 61.0, 63.0, 67.0]
    assert [values["seconds"] for event, values in scene.told if event == "watch.failed"] == [1.0, 2.0, 4.0]


def test_a_folder_that_is_away_is_not_looked_at_and_is_looked_at_whole_when_it_is_back(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    scene = Scene(root)

    def away() -> Heard:
        root.rename(tmp_path / "elsewhere")
        return Heard([(SOURCE, b"")])

    def back() -> Heard:
        (tmp_path / "elsewhere").rename(root)
        return Heard()

    scene.script = [(10.0, away), (30.0, back)]
    scene.run(until=59.0)
    assert [event for event, _ in scene.told] == ["watch.away", "watch.back"]
    assert [parts for _, parts in scene.looks] == [{SOURCE: None}, {SOURCE: None}]
    assert scene.looks[1][0] > 30.0
    assert scene.opened == 2, "hints about the old folder are no hints about the new one"
