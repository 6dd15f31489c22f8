"""What dies, comes back: the crash matrix is run, and its cells count as measured here."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.bars import CRASHES
from benchmarks.process import ROOT, environment
from benchmarks.shape import CELLS, Bench, Benchmark, Figure, Row

_SUMMARY = re.compile(r"^(\d+) cells, (\d+) broken\b", re.MULTILINE)
_QUICK = ("--scenario", "first run into parquet", "--point", "state log: sync", "--kind", "kill")


def _measure(bench: Bench) -> Iterator[Row]:
    command = [sys.executable, "-m", "tests.crash.matrix", "--all", "--drivers", "2", *bench.pick(_QUICK, ())]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    found = _SUMMARY.search(done.stdout)
    if done.returncode or found is None or not int(found[1]):
        raise RuntimeError(f"the crash matrix could not run:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    tried, broken = map(int, found.groups())
    if broken:
        print(done.stdout, file=sys.stderr)
    what = "failpoints x kinds that end well"
    yield Row(what, CELLS, Figure([tried - broken]), "tried", Figure([tried]), CRASHES)


BENCHMARK = Benchmark(
    "crash",
    "`python -m tests.crash.matrix --all`: at every step of every scenario that touches a disk the process is killed,"
    " its disk is full, or a write is torn; the next run must need no person and end like an undisturbed one. With"
    " --quick only deaths at a few steps of one scenario",
    _measure,
    (CRASHES,),
)
