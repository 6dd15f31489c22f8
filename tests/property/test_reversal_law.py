"""The law of reverts: whatever happened to a table, going back to a snapshot shows exactly what it showed then."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import HomeBuilder
from casparian_flow.sinks.log import EntryAction
from casparian_flow.sinks.uri import open_sink
from table_past import Past, in_any_order

sizes = st.tuples(st.integers(0, 3), st.integers(0, 2)).filter(any)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_going_back_to_any_snapshot_shows_what_it_showed_then(data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        with HomeBuilder(folder / "home") as home:
            sink = open_sink(f"parquet://{folder}/out")
            past = Past(home, sink, home.location(home.source()), home.parser())
            past.begin()
            for _ in range(data.draw(st.integers(2, 7))):
                act = data.draw(st.sampled_from(["append", "append", "replace", "retire", "revert"]))
                if act == "revert":
                    to = data.draw(st.sampled_from(sorted(past.shown)))
                    if past.revert(to):
                        assert in_any_order(past.read()) == in_any_order(past.shown[to])
                        assert past.current() == set(past.live)
                        assert past.marked() == past.undone
                elif act == "retire" and past.live:
                    past.commit(
                        [], data.draw(st.sets(st.sampled_from(sorted(past.live)), min_size=1)), EntryAction.RETIRE
                    )
                elif act == "replace":
                    coming = data.draw(st.lists(sizes, min_size=1, max_size=2))
                    past.commit(coming, list(past.live), EntryAction.REPLACE)
                else:
                    gone = data.draw(st.sets(st.sampled_from(sorted(past.live)), max_size=1)) if past.live else ()
                    past.commit(data.draw(st.lists(sizes, min_size=1, max_size=3)), gone, EntryAction.APPEND)
            for to in sorted(past.shown):
                before = past.read()
                if past.revert(to):
                    assert in_any_order(past.read()) == in_any_order(past.shown[to])
                else:
                    assert in_any_order(before) == in_any_order(past.shown[to])
    finally:
        shutil.rmtree(folder)
