"""The process dies at each step of a compaction: the next start needs no person, and nothing is left or lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from test_commit_steps import DIE, die

from builders import HomeBuilder
from casparian_flow.core.outputs import Role
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.log import EntryAction
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.rewrites import open_rewrites
from casparian_flow.wiring import open_acting
from product import ProductHere
from table_past import TABLE, Past

STEPS = [
    ("casparian_flow.sinks.folder_staging", "module.StagedFiles", "seal", "before", 0),
    ("casparian_flow.sentinel.history.compaction", "module", "permit_compaction", "before", 0),
    ("casparian_flow.sinks.folder", "module.FolderSink", "promote", "before", 0),
    ("casparian_flow.store.rewrites", "module", "begin", "after", 0),
    ("casparian_flow.sinks.folder_staging", "module.StagedFiles", "seal", "before", 1),
    ("casparian_flow.sentinel.history.compaction", "module", "permit_compaction", "after", 0),
    ("casparian_flow.sinks.folder", "module", "put_if_absent", "after", 0),
    ("casparian_flow.sinks.folder", "module.FolderSink", "promote", "after", 0),
    ("casparian_flow.sentinel.commit.open_commits", "module.commits", "record_retirement", "after", 0),
]


def a_past(folder: Path) -> Past:
    """A table of three files in each role, one of whose jobs was superseded; the home is to be closed."""
    home = HomeBuilder(folder)
    past = Past(home, open_sink(home.home.default_sink), home.location(home.source()), home.parser())
    past.begin()
    for gone in (0, 0, 1):
        past.commit([(3, 1), (2, 2)], sorted(past.live)[:gone], EntryAction.APPEND)
    return past


def files_on_disk(sink: FolderSink) -> set[str]:
    return {str(path) for path in sink.root.rglob(f"{TABLE}_*")}


def named_by_the_log(sink: FolderSink) -> set[str]:
    found = set()
    for log in sink.root.rglob("_cf/log"):
        for path in log.iterdir():
            adds = json.loads(path.read_bytes())["body"]["adds"]
            found |= {str(log.parent.parent / file["name"]) for file in adds}
    return found


@pytest.mark.invariant(2)
@pytest.mark.parametrize(
    ("module", "owner", "name", "when", "passes"),
    [pytest.param(*step, marks=[pytest.mark.slow] if at > 2 else []) for at, step in enumerate(STEPS)],
)
def test_a_death_at_this_step_is_put_right_by_the_next_start(
    tmp_path: Path, module: str, owner: str, name: str, when: str, passes: int
) -> None:
    past = a_past(tmp_path / "home")
    past.home.close()
    product = ProductHere(tmp_path / "home")
    source = DIE.format(module=module, owner=owner, name=name, when=when, passes=passes)

    assert die(product, source, "output", "compact", TABLE) == -signal.SIGKILL

    with open_acting(Home(product.home), Settings(), tmp_path, lambda _event, _values: None) as acting:
        assert acting.recovered.troubles == {}
        with acting.database.transaction() as connection:
            assert open_rewrites(connection) == []
    assert isinstance(past.sink, FolderSink)
    assert files_on_disk(past.sink) == named_by_the_log(past.sink)
    assert not list(past.sink.root.rglob("*.tmp"))
    newest = max(past.shown)
    assert past.read() == past.shown[newest]
    product("output", "compact", TABLE, expect=[0])
    history = product("output", "history", TABLE, "--json", expect=[0]).json["commits"]
    assert [each["action"] for each in history] == ["compact", "append", "append", "append"]
    assert all(each["is_visible"] for each in history)
    assert past.read() == past.shown[newest]
    for snapshot, rows in past.shown.items():
        assert past.read(snapshot) == rows
    assert [len(past.sink.snapshot(TABLE, role).files) for role in Role] == [1, 1]
