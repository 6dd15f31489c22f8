"""The law of compactions: whenever one is done, all that ever was visible of a table stays as it was."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import HomeBuilder
from casparian_flow.core.outputs import Role
from casparian_flow.sentinel.history import merging
from casparian_flow.sinks.log import EntryAction
from casparian_flow.sinks.uri import open_sink
from table_past import TABLE, Past, in_any_order

sizes = st.tuples(st.integers(0, 3), st.integers(0, 2)).filter(any)
ACTS = [
    "append",
    "retire",
    "revert",
    "compact",
    "compact beside append",
    "compact beside retire",
    "compact beside revert",
]


def change(past: Past, data: st.DataObject, act: str) -> None:
    """Something happens to the table that is no compaction."""
    if act == "revert":
        to = data.draw(st.sampled_from(sorted(past.shown)), label="back to")
        if past.revert(to):
            assert in_any_order(past.read()) == in_any_order(past.shown[to])
            assert past.current() == set(past.live)
            assert past.marked() == past.undone
    elif act == "retire" and past.live:
        gone = data.draw(st.sets(st.sampled_from(sorted(past.live)), min_size=1), label="gone")
        past.commit([], gone, EntryAction.RETIRE)
    else:
        gone = data.draw(st.sets(st.sampled_from(sorted(past.live)), max_size=2), label="gone") if past.live else set()
        past.commit(data.draw(st.lists(sizes, min_size=1, max_size=3)), gone, EntryAction.APPEND)


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_all_that_was_ever_visible_stays_as_it_was(data: st.DataObject) -> None:
    check(data)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_all_that_was_ever_visible_stays_as_it_was_in_many_histories(data: st.DataObject) -> None:
    check(data)


def check(data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        with HomeBuilder(folder / "home") as home, pytest.MonkeyPatch.context() as patch:
            # Files of such rows have 2,600 bytes and upwards: some are large then, and a few fill a new one.
            patch.setattr(merging, "SMALL_BYTES", data.draw(st.sampled_from([1 << 20, 2_700, 2_800]), label="small"))
            patch.setattr(merging, "FULL_BYTES", data.draw(st.sampled_from([1 << 20, 6_000]), label="full"))
            scheme = data.draw(st.sampled_from(["parquet", "parquet", "csv"]))
            past = Past(home, open_sink(f"{scheme}://{folder}/out"), home.location(home.source()), home.parser())
            past.begin()
            acts = data.draw(st.lists(st.sampled_from(ACTS), min_size=3, max_size=6), label="acts")
            for act in ["append", "append", *acts]:
                if not act.startswith("compact"):
                    change(past, data, act)
                elif (compaction := past.plan()).merges:
                    begun, merged = past.rewrite(compaction)
                    if act != "compact":
                        change(past, data, act.rpartition(" ")[2])
                    assert past.permit(compaction, begun, merged) or act != "compact"
            for snapshot, rows in past.shown.items():
                assert past.read(snapshot) == rows
            for to in sorted(past.shown):
                if past.revert(to):
                    assert in_any_order(past.read()) == in_any_order(past.shown[to])
            named = {path for role in Role for path in past.sink.snapshot(TABLE, role).files}
            assert named <= set(map(str, folder.rglob("events_*")))
    finally:
        shutil.rmtree(folder)
