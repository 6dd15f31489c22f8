"""What dies, comes back: the crash suite is run, and counts as measured here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.bars import CRASHES
from benchmarks.process import ROOT, environment
from benchmarks.shape import CASES, Bench, Benchmark, Figure, Row

_TEST_FAILED = 1


def _measure(bench: Bench) -> Iterator[Row]:
    """Every case of `tests/crash`; with `--quick` only those of the steps between claim and record."""
    chosen = bench.pick(("tests/crash/test_commit_steps.py", "-m", "not slow"), ("tests/crash", "-m", ""))
    report = bench.folder / "crash.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", *chosen, f"--junitxml={report}"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode not in (0, _TEST_FAILED):
        raise RuntimeError(f"the crash suite could not run:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    tried, held = _count(report)
    if not tried:
        raise RuntimeError("no case of the crash suite ran")
    yield Row("crash cases that hold", CASES, Figure([held]), "tried", Figure([tried]), CRASHES)


def _count(report: Path) -> tuple[int, int]:
    """How many cases ran, and how many of them passed."""
    cases = [case for case in ElementTree.parse(report).iter("testcase") if case.find("skipped") is None]
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return len(cases), len(cases) - len(failed)


BENCHMARK = Benchmark(
    "crash",
    "the cases of `tests/crash` as pytest runs them, each a run that is killed, or whose disk fails, at one step, then"
    " one that is not, compared with an undisturbed one; with --quick the steps from seal to record only",
    _measure,
    (CRASHES,),
)
