"""The law of undone jobs: one goes, what it took out is back, and undoing that shows what was before."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from builders import HomeBuilder
from casparian_flow.core.errors import UsageError
from casparian_flow.sentinel.commit.rolling import roll_forward
from casparian_flow.sentinel.history.job_reversal import permit_job_reversal, plan_job_reversal
from casparian_flow.sinks.log import EntryAction
from casparian_flow.sinks.uri import open_sink
from table_past import Past, in_any_order

SINKS = (
    "parquet://{}/out",
    "sqlite://{}/out.db",
    pytest.param("csv://{}/out", marks=pytest.mark.slow),
    pytest.param("duckdb://{}/out.duckdb", marks=pytest.mark.slow),
)
sizes = st.tuples(st.integers(0, 3), st.integers(0, 2)).filter(any)


def undo(past: Past, job: int) -> bool:
    """Undo a job as a command does; whether there was anything to undo."""
    past.now_ns += 1
    with past.home.database.transaction() as connection:
        try:
            reversals = plan_job_reversal(connection, job)
        except UsageError:
            return False
        [made] = permit_job_reversal(connection, reversals, "a person", "to see", past.now_ns)
    assert roll_forward(past.home.database, lambda _uri: past.sink, past.now_ns).troubles == {}
    past.undone = past.marked()
    past.live = {each: past.live.get(each) or past.roles(each) for each in past.current()}
    past.note(made)
    return True


@pytest.mark.parametrize("kind", SINKS)
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_an_undone_job_is_out_what_it_superseded_is_in_and_all_else_stays(kind: str, data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        with HomeBuilder(folder / "home") as home:
            sink = open_sink(kind.format(folder))
            past = Past(home, sink, home.location(home.source()), home.parser())
            past.begin()
            taken_out: dict[int, set[int]] = {}
            for _ in range(data.draw(st.integers(3, 7))):
                act = data.draw(st.sampled_from(["append", "append", "undo", "undo", "revert", "compact"]))
                newest = max(past.shown)
                if act == "undo" and past.jobs:
                    job = data.draw(st.sampled_from(sorted(past.jobs)))
                    before = set(past.live)
                    if undo(past, job):
                        assert set(past.live) == (before - {job}) | taken_out[job]
                        assert job in past.undone and not taken_out[job] & past.undone
                        rows = {each for role in past.shown[newest].values() for each, _ in role}
                        assert {each for role in past.read().values() for each, _ in role} - rows <= taken_out[job]
                        assert past.revert(newest)
                        assert in_any_order(past.read()) == in_any_order(past.shown[newest])
                        assert set(past.live) == before
                    else:
                        assert job not in before
                elif act == "revert":
                    past.revert(data.draw(st.sampled_from(sorted(past.shown))))
                elif act == "compact" and kind.startswith(("parquet", "csv")):
                    compaction = past.plan()
                    if compaction.merges:
                        past.permit(compaction, *past.rewrite(compaction))
                else:
                    gone = data.draw(st.sets(st.sampled_from(sorted(past.live)), max_size=1)) if past.live else set()
                    known = set(past.jobs)
                    past.commit(data.draw(st.lists(sizes, min_size=1, max_size=3)), gone, EntryAction.APPEND)
                    taken_out.update(dict.fromkeys(past.jobs - known, gone))
            for to in sorted(past.shown):
                assert in_any_order(past.read(to)) == in_any_order(past.shown[to])
    finally:
        shutil.rmtree(folder)
