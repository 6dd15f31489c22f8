"""Merging the files of a table while others work on it, and while everything goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_sentinel_service import sentinel

from builders import HomeBuilder
from casparian_flow.core.errors import (
    CasparianError,
    NotFound,
    PlanStale,
    SinkUnavailable,
    TableBusy,
    UsageError,
    VerificationFailed,
)
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.output import compact as output_compact
from casparian_flow.operations.doing.output.compact import TRIES, compact, plan
from casparian_flow.operations.doing.output.revert import plan as plan_revert
from casparian_flow.operations.doing.output.revert import revert
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.output.compact import CompactionPlan, CompactOutput, PlanCompaction
from casparian_flow.operations.output.revert import PlanRevert, RevertOutput, RevertPlan
from casparian_flow.sentinel.history.compaction import begin
from casparian_flow.settings import Settings
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.log import AddedFile, EntryAction
from casparian_flow.sinks.parquet_format import ParquetFormat
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.rewrites import open_rewrites
from casparian_flow.wiring import open_acting
from product import ProductHere
from table_past import TABLE, Past, in_any_order


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    """A table of three files in each role, one of whose jobs was superseded."""
    with HomeBuilder(tmp_path / "home") as home:
        past = Past(home, open_sink(home.home.default_sink), home.location(home.source()), home.parser())
        past.begin()
        for gone in (0, 0, 1):
            past.commit([(3, 1), (2, 2)], sorted(past.live)[:gone], EntryAction.APPEND)
        yield past


@contextmanager
def acting_on(past: Past, sink: FolderSink | None = None) -> Iterator[Acting]:
    """The right to change the home, in which the table is in this sink."""
    home = past.home.home
    with open_acting(home, Settings(), home.path, lambda _event, _values: None) as acting:
        yield acting if sink is None else replace(acting, open_sink=lambda _uri: sink)


def planned(past: Past, sink: str | None = None, table: str = TABLE) -> CompactionPlan:
    with open_reading(past.home.home, Settings(), past.home.home.path) as reading:
        return plan(reading, PlanCompaction(table=table, sink=sink))


def reversal_to(past: Past, snapshot: str) -> RevertPlan:
    with open_reading(past.home.home, Settings(), past.home.home.path) as reading:
        return plan_revert(reading, PlanRevert(table=TABLE, snapshot=snapshot))


def data_files(past: Past) -> list[str]:
    assert isinstance(past.sink, FolderSink)
    return sorted(path.name for path in past.sink.root.rglob(f"{TABLE}_*"))


def nothing_is_left(past: Past) -> bool:
    """Whether no compaction is under way, and no file is there that one did not finish."""
    with past.home.database.transaction() as connection:
        return open_rewrites(connection) == [] and not any(name.startswith(f"{TABLE}_0.") for name in data_files(past))


def test_rows_that_only_moved_to_another_file_neither_go_nor_come_back_with_a_revert(past: Past) -> None:
    with acting_on(past) as acting:
        compact(acting, CompactOutput(table=TABLE))
    to_before_it, further_back = reversal_to(past, "@-1"), reversal_to(past, "@-2")
    assert (to_before_it.rows_before, to_before_it.rows_after) == (12, 12)
    assert (to_before_it.rows_out, to_before_it.rows_back) == (0, 0)
    assert (further_back.rows_before, further_back.rows_after) == (12, 10)
    assert (further_back.rows_out, further_back.rows_back) == (5, 3)


class DisturbedSink(FolderSink):
    """A folder in which something happens between the reading and the commit of a compaction."""

    def __init__(self, past: Past, disturb: Callable[[], object]) -> None:
        assert isinstance(past.sink, FolderSink)
        super().__init__(past.sink.uri, past.sink.root, ParquetFormat())
        self._disturb = disturb
        self.rewrites = 0

    def rewrite(self, *arguments: Any) -> tuple[AddedFile, ...]:
        written = super().rewrite(*arguments)
        self.rewrites += 1
        self._disturb()
        return written


def test_a_plan_tells_what_is_merged_and_the_reply_what_became_of_it(past: Past) -> None:
    before, looked = past.read(), planned(past)
    assert [(each.role, each.contract, each.files, each.rows, each.left_out) for each in looked.merges] == [
        ("accepted", 1, 3, 12, 3),
        ("quarantine", 1, 3, 8, 1),
    ]
    assert (looked.files, past.read()) == (6, before)
    with acting_on(past) as acting:
        done = compact(acting, CompactOutput(table=TABLE))
        again = compact(acting, CompactOutput(table=TABLE))
    assert done.plan == looked and done.made is not None
    assert (done.files, done.size < looked.size) == (2, True)
    assert (again.made, again.plan.merges, again.files) == (None, [], 2)
    assert past.read() == before
    assert planned(past).snapshot == done.made


def test_every_earlier_snapshot_can_still_be_read_and_gone_back_to(past: Past) -> None:
    with acting_on(past) as acting:
        for _ in range(2):
            compact(acting, CompactOutput(table=TABLE))
            for snapshot, rows in past.shown.items():
                assert past.read(snapshot) == rows
            for snapshot in sorted(past.shown)[::-1]:
                revert(acting, RevertOutput(table=TABLE, snapshot=str(snapshot)))
                assert in_any_order(past.read()) == in_any_order(past.shown[snapshot])
            revert(acting, RevertOutput(table=TABLE, snapshot=str(max(past.shown))))


def test_a_job_that_is_superseded_meanwhile_does_not_come_back(past: Past) -> None:
    sink = DisturbedSink(
        past, lambda: past.commit([(1, 0)], sorted(past.live)[:1], EntryAction.APPEND) if sink.rewrites == 1 else None
    )
    with acting_on(past, sink) as acting:
        done = compact(acting, CompactOutput(table=TABLE))
    assert sink.rewrites == 2, "one for each role: nothing had to be done again"
    assert past.read() == past.shown[max(past.shown)]
    assert (done.files, len(past.sink.snapshot(TABLE, Role.ACCEPTED).removed_jobs)) == (3, 1)


def test_a_table_that_was_turned_over_is_looked_at_again(past: Past) -> None:
    def turn_over() -> None:
        if sink.rewrites == 1:
            past.revert(min(snapshot for snapshot in past.shown if snapshot))
            past.revert(max(snapshot for snapshot in past.shown))
            past.revert(sorted(past.shown)[2])

    sink = DisturbedSink(past, turn_over)
    with acting_on(past, sink) as acting:
        done = compact(acting, CompactOutput(table=TABLE))
    assert sink.rewrites == 4 and done.made is not None
    assert in_any_order(past.read()) == in_any_order(past.shown[max(past.shown)])
    assert len([name for name in data_files(past) if name.startswith(f"{TABLE}_0.")]) == 2


def test_a_table_that_is_turned_over_again_and_again_is_left_as_it_is(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(*_arguments: object) -> None:
        raise PlanStale("it moved")

    monkeypatch.setattr(output_compact, "permit_compaction", moved)
    sink = DisturbedSink(past, lambda: None)
    with acting_on(past, sink) as acting, pytest.raises(PlanStale):
        compact(acting, CompactOutput(table=TABLE))
    assert sink.rewrites == 2 * TRIES
    assert nothing_is_left(past)
    assert past.read() == past.shown[max(past.shown)]


def test_one_compaction_of_a_table_at_a_time(past: Past) -> None:
    refused: list[CasparianError] = []

    def ask_again() -> None:
        try:
            compact(acting, CompactOutput(table=TABLE))
        except TableBusy as exc:
            refused.append(exc)

    with acting_on(past, DisturbedSink(past, ask_again)) as acting:
        assert compact(acting, CompactOutput(table=TABLE)).made is not None
    assert [exc.exit_code for exc in refused] == [6, 6]


def test_what_a_process_left_in_the_middle_is_removed_at_the_next_start(past: Past) -> None:
    compaction = past.plan()
    past.rewrite(compaction)
    assert not nothing_is_left(past)
    with past.home.database.transaction() as connection, pytest.raises(TableBusy):
        begin(connection, compaction)
    with acting_on(past) as acting:
        assert acting.recovered.troubles == {}
        assert nothing_is_left(past)
        assert compact(acting, CompactOutput(table=TABLE)).made is not None
    assert past.read() == past.shown[max(past.shown)]


def test_a_full_disk_leaves_nothing_and_keeps_nobody_out(past: Past) -> None:
    def full() -> None:
        if sink.rewrites == 2:
            raise SinkUnavailable("the disk is full")

    sink = DisturbedSink(past, full)
    with acting_on(past, sink) as acting:
        with pytest.raises(SinkUnavailable, match="full"):
            compact(acting, CompactOutput(table=TABLE))
        assert nothing_is_left(past)
        assert compact(acting, CompactOutput(table=TABLE)).made is not None
    assert past.read() == past.shown[max(past.shown)]


def test_a_compaction_that_its_sink_refuses_is_carried_on_by_the_next_command(past: Past) -> None:
    class Refusing(DisturbedSink):
        def promote(self, entries: Sequence[PermittedEntry]) -> None:
            raise SinkUnavailable("the disk went away")

    newest = past.shown[max(past.shown)]
    with acting_on(past, Refusing(past, lambda: None)) as acting, pytest.raises(SinkUnavailable):
        compact(acting, CompactOutput(table=TABLE))
    with acting_on(past) as acting:
        assert acting.recovered.troubles == {}
        assert compact(acting, CompactOutput(table=TABLE)).made is None, "it landed already"
    assert past.read() == newest
    assert [len(past.sink.snapshot(TABLE, role).files) for role in Role] == [1, 1]


def test_damaged_files_and_a_lost_log_are_not_built_upon(past: Past) -> None:
    assert isinstance(past.sink, FolderSink)
    path = Path(past.sink.snapshot(TABLE, Role.ACCEPTED).files[1])
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with acting_on(past) as acting:
        with pytest.raises(VerificationFailed, match="not as it was sealed"):
            compact(acting, CompactOutput(table=TABLE))
        assert nothing_is_left(past)
        path.write_bytes(whole)
        [log, *_] = (past.sink.root / "outputs").rglob("_cf/log")
        log.rename(log.with_name("elsewhere"))
        with pytest.raises(VerificationFailed, match="lost commits"):
            compact(acting, CompactOutput(table=TABLE))
    assert nothing_is_left(past)


@pytest.mark.parametrize("scheme", ["duckdb", "sqlite"])
def test_a_database_is_said_to_need_none(tmp_path: Path, scheme: str) -> None:
    with HomeBuilder(tmp_path / "home") as home:
        sink = open_sink(f"{scheme}://{tmp_path}/out.db")
        past = Past(home, sink, home.location(home.source()), home.parser())
        past.begin()
        past.commit([(2, 0)], [], EntryAction.APPEND)
        past.commit([(1, 0)], sorted(past.live), EntryAction.APPEND)
        with pytest.raises(UsageError, match="needs no compaction") as raised:
            planned(past, sink.uri)
        assert "one file" in raised.value.why
        with acting_on(past) as acting, pytest.raises(UsageError, match="needs no compaction"):
            compact(acting, CompactOutput(table=TABLE))
        with pytest.raises(NotFound):
            planned(past, table="nothing")


def make_files(folder: Path, numbers: range, note: str) -> None:
    """Small files of one table; every fourth has a row too many for it."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        damaged = "\n7,8,9,10" if number % 4 == 0 else ""
        (folder / f"sales_{number}.csv").write_text(
            f"id,amount,note\n{number},1.5,{note}\n{number},2.5,{note}{damaged}\n"
        )


@pytest.mark.slow
def test_a_sentinel_merges_files_while_its_workers_bring_more_and_supersede_some(tmp_path: Path) -> None:
    data = tmp_path / "data"
    product = ProductHere(tmp_path / "home")
    make_files(data, range(20), "old")
    with sentinel(product, workers=1):
        product.run(str(data), "--server")
        make_files(data, range(10, 40), "new")
        running = product.start("run", str(data), "--server")
        codes = []
        while running.poll() is None or len(codes) < 2:
            codes.append(product("output", "compact", "sales", "--server", "--json").code)
        said = running.communicate()
        assert running.returncode in (0, 3), said
        both = [product.start("output", "compact", "sales", "--server") for _ in range(2)]
        for each in both:
            each.communicate()
        codes += [each.returncode for each in both]
        assert set(codes) <= {0, 6} and codes.count(0) >= 3
        assert product("stop", expect=[0]).code == 0
    quiet = ProductHere(tmp_path / "quiet")
    make_files(tmp_path / "again", range(10), "old")
    make_files(tmp_path / "again", range(10, 40), "new")
    quiet.run(str(tmp_path / "again"))
    assert product.content() == quiet.content()
    history = product("output", "history", "sales", "--json", "--all", expect=[0]).json["commits"]
    assert "compact" in {each["action"] for each in history}
    for commit in history[::7]:
        query = ("sql", "SELECT count(*) AS n FROM sales", "--as-of", str(commit["snapshot"]), "-f", "csv")
        assert product(*query, expect=[0]).out.split() == ["n", str(commit["rows"])]
    assert "new" in product("trace", f"{data}/sales_11.csv:1", expect=[0]).out
    assert product.run(str(data))["run"] == 0
    sink = open_sink(f"parquet://{product.home}")
    assert len(sink.snapshot("sales", Role.ACCEPTED).files) <= 2
