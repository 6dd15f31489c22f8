"""Ratios and bars of the benchmarks read the right way round."""

from __future__ import annotations

from pathlib import Path

import pytest
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
        (FILES, 500, Bar(500), True),
        (FILES, 499, Bar(500), False),
        (MILLISECONDS, 200, Bar(200), True),
        (MILLISECONDS, 201, Bar(200), False),
        (FILES, 50, Bar(0.5, of_ratio=True), True),
        (FILES, 49, Bar(0.5, of_ratio=True), False),
        (MILLISECONDS, 201, Bar(0.5, of_ratio=True), False),
        (FILES, 1, None, None),
    ],
)
def test_a_bar_is_met_from_its_limit_on(unit, ours, bar, passes) -> None:
    assert Row("x", unit, Figure([ours]), "peer", Figure([100]), bar).passes is passes


def test_the_median_counts_and_not_the_best() -> None:
    assert Row("x", FILES, Figure([900, 400, 450]), "peer", Figure([100]), Bar(500)).passes is False


def test_sides_run_in_turn_and_the_first_round_does_not_count() -> None:
    said: list[str] = []
    sides = {name: Side(lambda name=name: said.append(name) or len(said)) for name in "ab"}
    found = in_turn(Bench(Path(), is_quick=False, rounds=2, warms_up=True), sides)
    assert "".join(said) == "abbaab"
    assert found == {"a": [4, 5], "b": [3, 6]}


def test_a_benchmark_that_could_not_run_is_told_from_a_bar_that_was_missed() -> None:
    missed = Row("x", FILES, Figure([1]), "peer", Figure([2]), Bar(500))
    benchmark = Benchmark("b", "as it is", lambda _bench: [])
    report = Report(Machine(2, "p", 0.1, "3"), is_quick=False, rounds=1)
    report.outcomes = [Outcome(benchmark, [missed])]
    assert (report.has_failed, report.has_missed) == (False, True)
    report.outcomes = [Outcome(benchmark, failure="no such file")]
    assert (report.has_failed, report.has_missed) == (True, False)
    assert "  could not run: no such file" in list(report.text())
