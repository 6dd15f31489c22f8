"""Undoing one job: its rows go, those that it superseded come back, and what came after it stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.clients.cli.root import run as command_line
from casparian_flow.core.errors import NotFound, PlanStale, UsageError, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.job.jobs import list_ as list_jobs
from casparian_flow.operations.doing.job.revert import plan, revert
from casparian_flow.operations.doing.output.compact import compact
from casparian_flow.operations.doing.output.history import history
from casparian_flow.operations.doing.output.revert import revert as revert_output
from casparian_flow.operations.doing.quarantine.causes import list_ as list_groups
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.doing.run.run import run
from casparian_flow.operations.job.jobs import ListJobs
from casparian_flow.operations.job.revert import JobReverted, JobRevertPlan, PlanJobRevert, RevertJob
from casparian_flow.operations.output.compact import CompactOutput
from casparian_flow.operations.output.history import HistoryEntry, ShowHistory
from casparian_flow.operations.output.revert import RevertOutput
from casparian_flow.operations.quarantine.causes import ListGroups
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.run import RunFiles, RunReply
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.uri import open_sink
from casparian_flow.wiring import open_acting


@dataclass
class Case:
    """A folder of files, its home, and what a person does with them, all in this process."""

    home: Home
    data: Path
    sinks: tuple[str, ...] = ()

    def write(self, name: str, *lines: str) -> None:
        (self.data / name).write_text("\n".join(("id,amount", *lines)) + "\n")

    def _act(self, function: Callable[[Acting], Any]) -> Any:
        with open_acting(self.home, Settings(), self.data, lambda _event, _values: None) as acting:
            return function(acting)

    def run(self, *, force: bool = False, mode: str = "append") -> RunReply:
        selection = MakePlan(paths=(str(self.data),), force=force, mode=mode, sinks=self.sinks)
        return self._act(lambda acting: run(acting, RunFiles(selection=selection)))

    def revert(self, job: str, **options: Any) -> JobReverted:
        return self._act(lambda acting: revert(acting, RevertJob(job=job, reason="it was wrong", **options)))

    def revert_output(self, snapshot: int, sink: str | None = None) -> None:
        request = RevertOutput(table="sales", snapshot=str(snapshot), sink=sink)
        self._act(lambda acting: revert_output(acting, request))

    def compact(self) -> None:
        self._act(lambda acting: compact(acting, CompactOutput(table="sales")))

    def _read(self, function: Callable[..., Any], request: Any) -> Any:
        with open_reading(self.home, Settings(), self.data) as reading:
            return function(reading, request)

    def plan(self, job: str) -> JobRevertPlan:
        return self._read(plan, PlanJobRevert(job=job))

    def history(self, sink: str | None = None) -> list[HistoryEntry]:
        return self._read(history, ShowHistory(table="sales", sink=sink)).commits

    def job_of(self, name: str) -> str:
        """The newest job that read that file."""
        return self._read(list_jobs, ListJobs(file=name)).jobs[0].job

    def quarantined(self) -> int:
        return sum(group.rows for group in self._read(list_groups, ListGroups()).groups)

    def shown(self, sink: str | None = None) -> tuple[list[int], list[int]]:
        """The accepted rows by id, the rejected ones by their place."""
        opened = open_sink(sink or self.home.default_sink)
        rows, rejected = (opened.read("sales", role).read_all() for role in Role)
        ids = rows["id"].to_pylist() if len(rows) else []
        return sorted(ids), sorted(rejected["_cf_source_row"].to_pylist()) if len(rejected) else []


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Two files, one of which was edited after the first run, and a third one that came last."""
    data = tmp_path / "data"
    data.mkdir()
    case = Case(Home(tmp_path / "home"), data)
    case.write("sales_1.csv", "1,1.5", "2,2.5")
    case.write("sales_2.csv", "3,3.5", "4,4.5,5")
    case.run()
    case.write("sales_2.csv", "5,5.5")
    case.run()
    case.write("sales_3.csv", "6,6.5", "7,7.5,7")
    case.run()
    assert case.shown() == ([1, 2, 5, 6], [2]) and case.quarantined() == 1
    return case


def test_undoing_a_job_brings_back_what_it_superseded_and_leaves_what_came_later(case: Case) -> None:
    wrong = case.job_of("sales_2.csv")
    planned = case.plan(wrong)
    [table] = planned.tables
    assert (table.rows_out, table.rows_back, table.rows_before, table.rows_after) == (1, 1, 4, 4)
    assert (table.quarantined_before, table.quarantined_after, planned.path.endswith("sales_2.csv")) == (1, 2, True)
    assert case.shown() == ([1, 2, 5, 6], [2])  # looking changes nothing
    done = case.revert(wrong, newest=planned.newest)
    assert (case.shown(), case.quarantined()) == (([1, 2, 3, 6], [2, 2]), 2)
    assert case.run().skipped == {"up_to_date": 2, "held_by_policy": 1}
    newest = case.history()[0]
    assert (newest.action, newest.reverts_job, newest.reverts_to) == ("revert", wrong, None)
    assert (newest.reason, newest.actor, [newest.snapshot]) == ("it was wrong", done.by, done.made)


@pytest.mark.slow
def test_undoing_the_undoing_shows_the_same_rows_as_before(case: Case) -> None:
    before, newest = case.shown(), case.history()[0].snapshot
    case.revert(case.job_of("sales_2.csv"))
    case.revert_output(newest)
    assert (case.shown(), case.quarantined(), case.run().skipped) == (before, 1, {"up_to_date": 3})


def test_one_job_of_a_group_goes_alone_and_the_history_names_all_that_landed_together(case: Case) -> None:
    names = [f"sales_{10 + at}.csv" for at in range(12)]
    for at, name in enumerate(names):
        case.write(name, f"{100 + at},1.5")
    case.run()
    jobs = {name: case.job_of(name) for name in names}
    credited = sorted(job for entry in case.history() for job in entry.jobs)
    assert len(credited) == len(set(credited)) == 16 and set(jobs.values()) <= set(credited)
    largest = max(case.history(), key=lambda entry: len(entry.jobs))
    assert len(largest.jobs) > 1 and largest.added == len(largest.jobs)
    name = next(name for name, job in jobs.items() if job == largest.jobs[-1])
    case.revert(jobs[name])
    left = [100 + at for at, each in enumerate(names) if each != name]
    assert case.shown() == ([1, 2, 5, 6, *left], [2])
    case.write(name, "8,8.5")
    case.run()
    assert case.shown() == ([1, 2, 5, 6, 8, *left], [2])


@pytest.mark.slow
def test_rows_come_back_once_though_their_files_were_merged_meanwhile(case: Case) -> None:
    case.compact()
    case.revert(case.job_of("sales_2.csv"))
    assert case.shown() == ([1, 2, 3, 6], [2, 2])
    case.compact()
    case.revert(case.job_of("sales_3.csv"))
    assert case.shown() == ([1, 2, 3], [2])


@pytest.mark.slow
def test_rows_that_somebody_else_has_brought_again_do_not_come_twice(case: Case) -> None:
    case.write("again.csv", "3,3.5", "4,4.5,5")
    (case.data / "again.csv").rename(case.data / "sales_4.csv")
    case.run()
    assert case.shown() == ([1, 2, 3, 5, 6], [2, 2])
    case.revert(case.job_of("sales_2.csv"))
    assert case.shown() == ([1, 2, 3, 6], [2, 2])


@pytest.mark.slow
def test_what_cannot_be_undone_is_refused_and_says_what_to_do(case: Case) -> None:
    wrong = case.job_of("sales_2.csv")
    planned = case.plan(wrong)
    case.revert(case.job_of("sales_3.csv"))
    with pytest.raises(PlanStale):
        case.revert(wrong, newest=planned.newest)
    case.revert(wrong)
    with pytest.raises(UsageError, match="no table shows rows"):
        case.revert(wrong)
    with pytest.raises(NotFound):
        case.plan("123")
    case.run(force=True, mode="replace")
    with pytest.raises(UsageError, match="together with") as caught:
        case.plan(case.job_of("sales_1.csv"))
    assert caught.value.fix.startswith("casparian output revert sales ")


@pytest.mark.slow
def test_rows_whose_files_are_gone_are_not_promised(case: Case) -> None:
    wrong = case.job_of("sales_2.csv")
    [[back]] = [table.jobs_back for table in case.plan(wrong).tables]
    for path in (case.home.path / "outputs" / "sales" / "v1").glob(f"*{back}*"):
        path.unlink()
    with pytest.raises(VerificationFailed, match="not all there"):
        case.plan(wrong)


@pytest.mark.slow
def test_every_kind_of_sink_is_undone_at_once_and_shows_the_same_there_and_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    kinds = ("parquet://{}/p", "csv://{}/c", "duckdb://{}/d.duckdb", "sqlite://{}/s.db")
    case = Case(Home(tmp_path / "home"), data, tuple(kind.format(tmp_path) for kind in kinds))
    case.write("sales_1.csv", "1,1.5", "2,2.5,3")
    case.write("sales_2.csv", "3,3.5")
    case.run()
    case.write("sales_1.csv", "5,5.5", "6,6.5")
    case.run()
    before = {sink: (case.shown(sink), case.history(sink)[0].snapshot) for sink in case.sinks}
    assert {shown for shown, _ in ((str(rows), at) for rows, at in before.values())} == {"([3, 5, 6], [])"}
    done = case.revert(case.job_of("sales_1.csv"))
    assert len(done.made) == 4
    assert [case.shown(sink) for sink in case.sinks] == [([1, 3], [2])] * 4
    for sink, (_, snapshot) in before.items():
        case.revert_output(snapshot, sink)
    assert [case.shown(sink) for sink in case.sinks] == [rows for rows, _ in before.values()]
    assert case.run().skipped == {"up_to_date": 2}


def test_the_command_wants_a_reason_and_a_yes(case: Case, capfd: pytest.CaptureFixture[str]) -> None:
    def ask(*words: str, expect: int = 0) -> Any:
        code = command_line(["--home", str(case.home.path), "jobs", "revert", *words, "--json"])
        out, err = capfd.readouterr()
        assert code == expect, f"{words} ended with {code}\n{out}\n{err}"
        return json.loads(err if expect else out)

    job = case.job_of("sales_2.csv")
    assert ask(job, "--dry-run")["tables"][0]["rows_back"] == 1
    assert "--reason" in ask(job, "--yes", expect=2)["fix"]
    done = ask(job, "--yes", "--reason", "wrong export")
    assert (done["schema"], done["reason"], case.shown()[0]) == ("casparian.job-revert/1", "wrong export", [1, 2, 3, 6])
    ask(job, "--yes", "--reason", "again", expect=2)


def test_the_help_of_the_command_says_that_the_reason_is_needed(capfd: pytest.CaptureFixture[str]) -> None:
    assert command_line(["jobs", "revert", "--help"]) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert "--reason TEXT Kept with the commits; required, but for --dry-run." in told


def test_why_and_trace_of_what_was_undone_say_who_did_it_and_what_brings_it_back(
    case: Case, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case.data)

    def ask(*words: str, expect: int = 0) -> str:
        code = command_line(["--home", str(case.home.path), *words])
        out, err = capfd.readouterr()
        assert code == expect, f"{words} ended with {code}\n{out}\n{err}"
        return err if expect else out

    job, path = case.job_of("sales_3.csv"), case.data / "sales_3.csv"
    done = case.revert(job)
    for subject, record in ((str(path), None), (f"{path}:1", 1), (f"{path}:2", 2)):
        told = json.loads(ask("why", subject, "--json"))
        [part] = told["reverted"]
        assert (told["record"], told["rows"], told["erased"]) == (record, [], [])
        assert part["at"].startswith(case.history()[0].at[:10])
        assert {name: value for name, value in part.items() if name != "at"} == {
            "table": "sales", "sink": case.home.default_sink, "job": job, "rows": 2, "by": done.by,
            "reason": "it was wrong", "back": f"casparian run {path} --force",
        }  # fmt: skip
    said = ask("why", str(path))
    assert said.startswith(f"2 rows that this file brought to sales in {case.home.default_sink} were taken out by ")
    assert f"by a revert of {done.by} on {part['at'][:10]}: it was wrong\n  the way back: {part['back']}\n" in said
    address = f"{told['job']['source_hash'].partition(':')[2]}:1"
    for subject in (f"{path}:1", address):
        refused = json.loads(ask("trace", subject, "--json", expect=5))
        assert refused["why"] == f"sales was reverted by {done.by} on {part['at'][:10]}: it was wrong"
        assert refused["fix"] == f"casparian run {path} --force"
    assert "records are numbered" in json.loads(ask("trace", f"sales:{job}:9", "--json", expect=5))["why"]
    assert json.loads(ask("why", f"{case.data / 'sales_1.csv'}:1", "--json"))["reverted"] == []

    ask(*part["back"].split()[1:], expect=3)  # with a rejected row
    assert case.shown() == ([1, 2, 5, 6], [2])
    told = json.loads(ask("why", f"{path}:1", "--json"))
    assert (told["reverted"], [row["table"] for row in told["rows"]]) == ([], ["sales"])
    ask("trace", f"{path}:1")

    case.revert_output(case.history()[1].snapshot)  # the other way of taking rows out, and without a reason
    case.write("sales_3.csv", "8,8.5")
    ask("scan", str(case.data))
    ask("scan", str(path))  # which the command above made a source of its own
    [part] = json.loads(ask("why", address, "--json"))["reverted"]
    history = f"casparian output history sales --sink {case.home.default_sink}"
    assert (part["reason"], part["back"]) == ("", history), "a run would read other bytes"
    assert json.loads(ask("why", str(path), "--json"))["reverted"] == []
    refused = json.loads(ask("trace", address, "--json", expect=5))
    assert (refused["why"], refused["fix"]) == (f"sales was reverted by {part['by']} on {part['at'][:10]}", history)
    ask(*history.split()[1:])
