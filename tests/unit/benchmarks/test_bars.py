"""Ratios and bars of the benchmarks read the right way round."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.__main__ import main, measured
from benchmarks.bars import DESIGN
from benchmarks.index import BENCHMARKS
from benchmarks.machine import Machine
from benchmarks.report import Outcome, Report
from benchmarks.rounds import Side, in_turn
from benchmarks.shape import FILES, MILLISECONDS, Bar, Bench, Benchmark, Figure, Row


@pytest.mark.parametrize(
    ("unit", "ours", "peer", "ratio"),
    [(FILES, 50, 100, 0.5), (FILES, 200, 100, 2.0), (MILLISECONDS, 200, 100, 0.5), (MILLISECONDS, 50, 100, 2.0)],
)
def test_a_ratio_above_one_is_better_than_the_peer_whatever_the_unit(unit, ours, peer, ratio) -> None:
    assert Row("x", unit, Figure([ours]), "peer", Figure([peer])).ratio == ratio


@pytest.mark.parametrize(
    ("unit", "ours", "bar", "passes"),
    [
        (FILES, 500, Bar("b", 500), True),
        (FILES, 499, Bar("b", 500), False),
        (MILLISECONDS, 200, Bar("b", 200), True),
        (MILLISECONDS, 201, Bar("b", 200), False),
        (FILES, 50, Bar("b", 0.5, of_ratio=True), True),
        (FILES, 49, Bar("b", 0.5, of_ratio=True), False),
        (MILLISECONDS, 201, Bar("b", 0.5, of_ratio=True), False),
        (FILES, 1, None, None),
    ],
)
def test_a_bar_is_met_from_its_limit_on(unit, ours, bar, passes) -> None:
    assert Row("x", unit, Figure([ours]), "peer", Figure([100]), bar).passes is passes


def test_the_median_counts_and_not_the_best() -> None:
    assert Row("x", FILES, Figure([900, 400, 450]), "peer", Figure([100]), Bar("b", 500)).passes is False


def test_sides_run_in_turn_and_the_first_round_does_not_count() -> None:
    said: list[str] = []
    sides = {name: Side(lambda name=name: said.append(name) or len(said)) for name in "ab"}
    found = in_turn(Bench(Path(), is_quick=False, rounds=2, warms_up=True, large_mb=1), sides)
    assert "".join(said) == "abbaab"
    assert found == {"a": [4, 5], "b": [3, 6]}


def test_a_benchmark_that_could_not_run_is_told_from_a_bar_that_was_missed() -> None:
    missed = Row("x", FILES, Figure([1]), "peer", Figure([2]), Bar("b", 500))
    benchmark = Benchmark("b", "as it is", lambda _bench: [])
    report = Report(Machine(2, "p", 0.1, "3"), is_quick=False, rounds=1)
    report.outcomes = [Outcome(benchmark, [missed])]
    assert (report.has_failed, report.has_missed) == (False, True)
    report.outcomes = [Outcome(benchmark, failure="no such file")]
    assert (report.has_failed, report.has_missed) == (True, False)
    assert "  could not run: no such file" in list(report.text())


def test_every_bar_of_the_design_has_a_benchmark_that_owes_a_line_for_it() -> None:
    owed = {bar.name for benchmark in BENCHMARKS for bar in benchmark.bars}
    promised = [bar.name for bars in DESIGN.values() for bar in bars]
    assert len(promised) == len(set(promised))
    assert set(promised) <= owed


def test_every_bar_of_the_design_is_on_the_page_about_performance() -> None:
    page = (Path(__file__).parents[3] / "docs" / "explanation" / "performance.md").read_text()
    assert [bar.name for bars in DESIGN.values() for bar in bars if bar.name not in page] == []


def test_a_benchmark_that_owes_a_line_and_does_not_give_it_has_failed(tmp_path) -> None:
    silent = Benchmark("b", "as it is", lambda _bench: [], (Bar("promised", 1),))
    bench = Bench(tmp_path / "b", is_quick=True, rounds=1, warms_up=False, large_mb=1)
    assert "promised" in measured(silent, bench, keep=False).failure


def test_a_row_without_its_peer_is_neither_passed_nor_missed_and_says_why() -> None:
    row = Row("x", FILES, Figure([5]), "peer", None, Bar("b", 2, of_ratio=True), "not installed")
    assert (row.ratio, row.passes) == (None, None)
    report = Report(Machine(2, "p", 0.1, "3"), is_quick=False, rounds=1)
    report.outcomes = [Outcome(Benchmark("b", "as it is", lambda _bench: []), [row])]
    assert not report.has_missed and "  without peer: not installed" in list(report.text())
    assert report.json()["benchmarks"][0]["rows"][0]["peer"] == {"name": "peer", "why": "not installed"}


def test_without_the_peers_nothing_is_measured_and_the_command_that_brings_them_is_named(monkeypatch, capsys) -> None:
    monkeypatch.setattr("benchmarks.__main__.find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--only", "start"])
    assert main() == 1
    assert "not installed: dlt, pandas, polars; python -m pip install" in capsys.readouterr().err
