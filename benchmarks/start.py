"""How long a command takes before a person sees something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bars import FIRST_LINE, HELP
from benchmarks.data.delimited import write_small_csv
from benchmarks.homes import Home
from benchmarks.process import first_sign, measure, our_command, peer
from benchmarks.rounds import Side, in_turn
from benchmarks.shape import MILLISECONDS, Bench, Benchmark, Figure, Row

_REPEATS = 3
"""These are short: more of them cost little and steady the median. Not with `--quick`."""


def _measure(bench: Bench) -> Iterator[Row]:
    home = Home(bench.folder)
    files = bench.folder / "files"
    files.mkdir()
    write_small_csv(bench.folder / "flows.csv", 100, seed=100)
    home.prepare(str(bench.folder / "flows.csv"))
    write_small_csv(files / "flows_1.csv", 1_000, seed=1)

    def ended(*arguments: str) -> Side[float]:
        return Side(lambda: measure([sys.executable, "-m", "casparian_flow", *arguments]).seconds)

    sides = {
        "bare": Side(lambda: peer("nothing").seconds),
        "--help": ended("--help"),
        "version": ended("version"),
        "status": Side(lambda: measure(our_command(home.path, "status")).seconds, home.restore),
        "first line of run": Side(lambda: first_sign(our_command(home.path, "run", str(files))), home.restore),
    }
    several = replace(bench, rounds=bench.rounds * bench.pick(1, _REPEATS))
    found = {name: Figure([1000 * each for each in seconds]) for name, seconds in in_turn(several, sides).items()}
    for name, bar in (("--help", HELP), ("version", None), ("status", None), ("first line of run", FIRST_LINE)):
        yield Row(name, MILLISECONDS, found[name], "bare Python", found["bare"], bar)


BENCHMARK = Benchmark(
    "start",
    "processes from start to exit; `run` on a terminal, over a new CSV file of 1,000 rows, until its first byte",
    _measure,
    (HELP, FIRST_LINE),
)
