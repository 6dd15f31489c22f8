"""The end of a sentinel is left to its process; what only waits for jobs keeps nobody from acting."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.clients.service.door import CHANGES_WATCHES, PROMPT, ServedDoor
from casparian_flow.core.errors import UsageError
from casparian_flow.operations.index import find
from casparian_flow.operations.service.sentinel import StopSentinel
from casparian_flow.operations.source.watch import FollowFiles
from casparian_flow.settings import Home, Settings
from casparian_flow.wiring import holding, open_served


@pytest.fixture
def served(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.path.mkdir(mode=0o700)
    asked = []
    with (
        holding(home, 0.0),
        open_served(
            home, Settings, [f"ipc://{home.path / 'w'}"], end=lambda drain, seconds: asked.append((drain, seconds))
        ) as served,
    ):
        yield served, asked


def test_to_stop_is_left_to_the_process_and_answered_before_it_ends(served, tmp_path):
    home, asked = served
    door = ServedDoor(home, tmp_path, "ann")
    reply = door.ask("sentinel.stop", StopSentinel(drain=True, seconds=5.0))
    assert (reply.drain, reply.held, asked) == (True, 0, [(True, 5.0)])
    assert home.is_idle and home.failure is None
    with pytest.raises(UsageError, match="drains"):
        door.ask("sentinel.stop", StopSentinel(seconds=5.0))


def test_a_watch_that_would_hold_the_home_is_refused_by_who_holds_it(served, tmp_path):
    with pytest.raises(UsageError, match="keeps its watches itself"):
        ServedDoor(served[0], tmp_path, "ann").ask("watch.follow", FollowFiles())


def test_what_is_prompt_does_not_wait_for_who_acts_alone(served, tmp_path):
    home, asked = served
    door = ServedDoor(home, tmp_path, "ann")
    with home.open_acting(tmp_path, "bob", lambda _event, _values: None, alone=True):
        door.ask("sentinel.stop", StopSentinel())
    assert asked == [(False, None)]


@pytest.mark.parametrize("name", sorted(PROMPT | CHANGES_WATCHES))
def test_what_the_door_knows_by_name_exists(name):
    assert find(name).name == name
