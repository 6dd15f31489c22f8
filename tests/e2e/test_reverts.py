"""Undoing commits: what was taken out stays out, what was brought back stays in, and every crash rolls forward."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.clients.cli.root import run as command_line
from casparian_flow.core.errors import (
    CasparianError,
    NotFound,
    PlanStale,
    SinkUnavailable,
    UsageError,
    VerificationFailed,
)
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.file.files import list_ as list_files
from casparian_flow.operations.doing.output.history import history
from casparian_flow.operations.doing.output.revert import plan, revert
from casparian_flow.operations.doing.quarantine.causes import list_ as list_groups
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.doing.run.run import run
from casparian_flow.operations.file.files import ListFiles
from casparian_flow.operations.output.history import HistoryEntry, ShowHistory
from casparian_flow.operations.output.revert import PlanRevert, Reverted, RevertOutput, RevertPlan
from casparian_flow.operations.quarantine.causes import ListGroups
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.run import RunFiles, RunReply
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.uri import open_sink
from casparian_flow.wiring import open_acting


@dataclass
class Case:
    """A folder of files, its home, and what a person does with them, all in this process."""

    home: Home
    data: Path

    def write(self, name: str, *lines: str) -> None:
        (self.data / name).write_text("\n".join(("id,amount", *lines)) + "\n")

    def _act(self, function: Callable[[Acting], Any]) -> Any:
        with open_acting(self.home, Settings(), self.data, lambda _event, _values: None) as acting:
            return function(acting)

    def run(self, *, force: bool = False, mode: str = "append", sinks: tuple[str, ...] = ()) -> RunReply:
        selection = MakePlan(paths=(str(self.data),), force=force, mode=mode, sinks=sinks)
        return self._act(lambda acting: run(acting, RunFiles(selection=selection)))

    def revert(self, snapshot: str, **options: Any) -> Reverted:
        return self._act(lambda acting: revert(acting, RevertOutput(table="sales", snapshot=snapshot, **options)))

    def _read(self, function: Callable[..., Any], request: Any) -> Any:
        with open_reading(self.home, Settings(), self.data) as reading:
            return function(reading, request)

    def plan(self, snapshot: str, sink: str | None = None) -> RevertPlan:
        return self._read(plan, PlanRevert(table="sales", snapshot=snapshot, sink=sink))

    def history(self, sink: str | None = None) -> list[HistoryEntry]:
        return self._read(history, ShowHistory(table="sales", sink=sink)).commits

    def reasons(self) -> dict[str, str]:
        return {file.path: file.reason for file in self._read(list_files, ListFiles()).files}

    def detail(self, name: str) -> str:
        return next(f.detail for f in self._read(list_files, ListFiles()).files if f.path == name)

    def quarantined(self) -> int:
        return sum(group.rows for group in self._read(list_groups, ListGroups()).groups)

    def ids(self, role: Role = Role.ACCEPTED) -> list[int]:
        table = open_sink(self.home.default_sink).read("sales", role).read_all()
        return sorted(table["id" if role is Role.ACCEPTED else "_cf_source_row"].to_pylist()) if len(table) else []


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Two files, one of which was edited after the first run; a row of its old bytes is in quarantine."""
    data = tmp_path / "data"
    data.mkdir()
    case = Case(Home(tmp_path / "home"), data)
    case.write("sales_1.csv", "1,1.5", "2,2.5")
    case.run()
    case.write("sales_2.csv", "3,3.5", "4,4.5,5")
    case.run()
    case.write("sales_2.csv", "5,5.5")
    case.run()
    assert case.ids() == [1, 2, 5] and case.quarantined() == 0
    return case


def test_a_revert_shows_the_old_rows_and_their_quarantine_again_and_the_next_run_leaves_both(case: Case) -> None:
    done = case.revert("@-1", reason="the new export was wrong")
    assert (case.ids(), case.ids(Role.QUARANTINE), case.quarantined()) == ([1, 2, 3], [2], 1)
    reply = case.run()
    assert (reply.run, reply.skipped) == (0, {"up_to_date": 1, "held_by_policy": 1})
    assert reply.held == "sales_2.csv" and reply.next == "casparian why sales_2.csv"
    assert case.detail("sales_2.csv").startswith(f"sales was reverted by {done.by} on 20")
    assert case.detail("sales_2.csv").endswith("--force reads it again")
    assert (case.ids(), case.quarantined()) == ([1, 2, 3], 1)  # though no file has these bytes any more
    newest = case.history()[0]
    assert (newest.action, newest.added, newest.removed, newest.rows) == ("revert", 1, 1, 3)
    assert (newest.quarantine_added, newest.quarantined) == (1, 1)
    assert (newest.reason, newest.actor, newest.reverts_to) == ("the new export was wrong", done.by, done.plan.snapshot)


def test_force_and_newer_bytes_supersede_what_a_revert_brought_back(case: Case) -> None:
    first = case.revert("@-1")
    (back,) = case.run(force=True).brought_back
    assert (back.how, back.files, back.rows, back.paths) == ("reverted", 1, 1, ["sales_2.csv"])
    assert back.why.startswith(f"sales was reverted by {back.by} on 20")
    assert (case.ids(), case.run().skipped) == ([1, 2, 5], {"up_to_date": 2})  # asked for again, so not held any more
    case.revert(str(first.made))
    assert (case.ids(), case.quarantined()) == ([1, 2, 3], 1)
    case.write("sales_2.csv", "6,6.5")
    case.run()
    assert (case.ids(), case.quarantined()) == ([1, 2, 6], 0)


def test_a_revert_is_reverted_like_any_commit_and_everything_is_as_before(case: Case) -> None:
    before = case.history()[0].snapshot
    case.revert("@-1")
    case.revert(str(before))
    assert (case.ids(), case.quarantined()) == ([1, 2, 5], 0)
    assert case.run().skipped == {"up_to_date": 2}
    case.write("sales_2.csv", "3,3.5", "4,4.5,5")  # bytes that were superseded, not undone, are read as ever
    assert case.run().run == 1
    assert case.ids() == [1, 2, 3]


def test_a_revert_says_how_many_files_the_next_run_will_hold(case: Case) -> None:
    for _ in range(2):
        case.run(force=True)
    for snapshot in (case.history()[-1].snapshot, 0):
        planned = case.plan(str(snapshot))
        assert planned.held == case.revert(str(snapshot)).plan.held == 2
        assert case.run().skipped == {"held_by_policy": 2}
    case.run(force=True)
    newest = case.history()[0].snapshot
    (case.data / "sales_1.csv").unlink()
    case.write("sales_2.csv", "6,6.5")
    case.run()
    assert case.plan("0").held == 1  # neither the file that is gone nor the bytes that no file has any more
    assert case.plan(str(newest)).held == case.revert(str(newest)).plan.held == 1
    assert case.run().skipped == {"held_by_policy": 1, "source_missing": 1}


def test_the_same_relative_revert_twice_does_not_bring_the_rows_back(case: Case) -> None:
    first, second, third = [entry.snapshot for entry in reversed(case.history())]
    for named, further in (("@-1", first), ("@-2", 0)):
        case.revert("@-1" if named == "@-1" else str(second))
        with pytest.raises(UsageError, match="is a revert itself") as refused:
            case.revert(named)
        newest = case.history()
        went = f"casparian output revert sales {further} to go further back, or "
        assert refused.value.fix == f"{went}casparian output revert sales {newest[int(named[2:])].snapshot} to undo it"
        assert (case.ids(), newest[0].action) == ([1, 2, 3], "revert")
        case.revert(str(third))
    case.revert("0")
    with pytest.raises(UsageError) as refused:
        case.revert("@-1")
    assert "further back" not in refused.value.fix and case.ids() == []


def test_a_table_can_go_back_to_before_its_first_commit_and_return(case: Case) -> None:
    before = case.history()[0].snapshot
    case.revert("0")
    assert (case.ids(), case.run().skipped) == ([], {"held_by_policy": 2})
    case.revert(str(before))
    assert case.ids() == [1, 2, 5]


@pytest.mark.slow
def test_a_replacement_can_be_undone(case: Case) -> None:
    (case.data / "sales_1.csv").unlink()
    case.write("sales_2.csv", "7,7.5")
    case.run(mode="replace")
    assert case.ids() == [7]
    case.revert("@-1")
    assert case.ids() == [1, 2, 5]
    assert case.run(mode="replace").run == 0


def test_what_is_no_snapshot_to_go_back_to_is_refused_clearly(case: Case) -> None:
    for named in ("999", "@-9"):
        with pytest.raises(NotFound) as caught:
            case.plan(named)
        assert "output history sales" in caught.value.fix
    for named in ("@last", "yesterday", "-1", "1e3"):
        with pytest.raises(UsageError):
            case.plan(named)
    planned = case.plan("@-1")
    assert (planned.rows_before, planned.rows_after, planned.rows_out, planned.rows_back) == (3, 3, 1, 1)
    assert (planned.quarantined_before, planned.quarantined_after) == (0, 1)
    assert (len(planned.jobs_out), len(planned.jobs_back), planned.held) == (1, 1, 1)
    assert case.ids() == [1, 2, 5] and len(case.history()) == 3  # looking changes nothing


@pytest.mark.slow
def test_a_revert_that_was_planned_before_the_table_moved_is_refused(case: Case) -> None:
    planned = case.plan("@-1")
    case.write("sales_3.csv", "8,8.5")
    case.run()
    with pytest.raises(PlanStale):
        case.revert(str(planned.snapshot), newest=planned.newest)
    assert case.ids() == [1, 2, 5, 8]


def test_rows_whose_files_are_gone_are_not_promised(case: Case) -> None:
    gone = next((case.home.path / "outputs" / "sales" / "v1").glob(f"*_{case.history()[1].job}.*"))
    gone.unlink()
    with pytest.raises(VerificationFailed, match="not all there"):
        case.revert("@-1")
    assert case.ids() == [1, 2, 5] and case.run().run == 0


@pytest.mark.slow
def test_every_kind_of_sink_goes_back_alone_and_shows_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    case = Case(Home(tmp_path / "home"), data)
    sinks = (
        f"parquet://{tmp_path}/p",
        f"csv://{tmp_path}/c",
        f"duckdb://{tmp_path}/d.duckdb",
        f"sqlite://{tmp_path}/s.db",
    )

    def shown(sink: str) -> tuple[list[int], list[int]]:
        rows = open_sink(sink).read("sales", Role.ACCEPTED).read_all()
        rejected = open_sink(sink).read("sales", Role.QUARANTINE).read_all()
        records = rejected["_cf_source_row"].to_pylist() if len(rejected) else []
        return sorted(rows["id"].to_pylist()), records

    case.write("sales.csv", "1,1.5", "2,2.5,3")
    case.run(sinks=sinks)
    case.write("sales.csv", "5,5.5", "6,6.5")
    case.run(sinks=sinks)
    before = case.history(sinks[0])[0].snapshot
    for at, sink in enumerate(sinks):
        assert [shown(each) for each in sinks[:at]] == [([1], [2])] * at
        assert [shown(each) for each in sinks[at:]] == [([5, 6], [])] * (len(sinks) - at)
        assert (case.plan("@-1", sink=sink).rows_back, case.quarantined()) == (1, min(at, 1))
        case.revert("@-1", sink=sink)
    assert case.run(sinks=sinks).skipped == {"held_by_policy": 1}
    case.revert(str(before), sink=sinks[0])
    assert (shown(sinks[0]), shown(sinks[1]), case.quarantined()) == (([5, 6], []), ([1], [2]), 1)


class Failing:
    """A sink that fails at its promotion, before or after it did it."""

    def __init__(self, sink: Sink, *, after: bool) -> None:
        self._sink, self._after = sink, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        if self._after:
            self._sink.promote(entries)
        raise SinkUnavailable("the disk went away")


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_permitted_revert_that_could_not_be_recorded_is_completed_by_the_next_start(case: Case, after: bool) -> None:
    def act(acting: Acting) -> None:
        sink = Failing(acting.open_sink(case.home.default_sink), after=after)
        object.__setattr__(acting, "open_sink", lambda _uri: sink)
        with pytest.raises(CasparianError, match="went away"):
            revert(acting, RevertOutput(table="sales", snapshot="@-1"))

    case._act(act)
    with pytest.raises(SinkUnavailable, match="not written yet"):  # another one waits for it
        case.plan("0")
    assert [entry.is_visible for entry in case.history()[:2]] == [False, True]
    assert case.run().skipped == {"up_to_date": 1, "held_by_policy": 1}
    assert (case.ids(), case.quarantined()) == ([1, 2, 3], 1)
    assert case.history()[0].is_visible


def test_the_command_asks_for_the_name_and_answers_with_codes(
    case: Case, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*words: str, expect: int = 0) -> Any:
        code = command_line(["--home", str(case.home.path), "output", *words, "--json"])
        out, err = capfd.readouterr()
        assert code == expect, f"{words} ended with {code}\n{out}\n{err}"
        return json.loads(err if expect else out)

    monkeypatch.setattr(sys, "stdin", None)
    assert ask("revert", "sales", "@-1", expect=2)["fix"].endswith("output revert sales @-1 --json --yes")
    planned = ask("revert", "sales", "@-1", "--dry-run")
    assert (planned["schema"], planned["rows_out"], planned["rows_back"]) == ("casparian.revert-plan/1", 1, 1)
    done = ask("revert", "sales", "@-1", "--yes", "--reason", "wrong")
    assert (done["schema"], done["reason"], case.ids()) == ("casparian.revert/1", "wrong", [1, 2, 3])
    ask("revert", "sales", "77", "--yes", expect=5)
    ask("revert", "sales", "@last", "--yes", expect=2)
    ask("revert", "nothing", "1", "--yes", expect=5)
    assert [(each["table"], each["rows"], each["snapshots"]) for each in ask("list")["outputs"]] == [("sales", 3, 4)]
    shown = ask("show", "sales")
    assert shown["trouble"] is None and shown["place"].endswith("outputs/sales")
    assert [each["action"] for each in shown["newest"]] == ["revert", "append", "append", "append"]
