"""`python -m benchmarks`: what the product costs beside what others cost, as one table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.index import BENCHMARKS
from benchmarks.machine import this_machine
from benchmarks.process import peer
from benchmarks.report import Outcome, Report
from benchmarks.shape import Bench, Benchmark

COULD_NOT_RUN = 1
MISSED = 7
PEERS = ("dlt", "pandas", "polars")
"""What the product itself does not need."""


def main() -> int:
    """Measure what was asked for; the exit code."""
    options = _options()
    if missing := [name for name in PEERS if find_spec(name) is None]:
        print(f"not installed: {', '.join(missing)}; python -m pip install -r requirements.lock", file=sys.stderr)
        return COULD_NOT_RUN
    chosen = [each for each in BENCHMARKS if not options.only or each.name in options.only]
    rounds = options.rounds or (1 if options.quick else 3)
    folder = Path(tempfile.mkdtemp(prefix="casparian-benchmark-"))
    os.environ["HOME"] = str(folder)  # no setting and no cache of whoever measures
    os.environ.pop("CASPARIAN_HOME", None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed product is compiled once, so ours is, too
    large_mb = options.large_mb or (128 if options.quick else 10 * 1024)
    report = Report(this_machine(), options.quick, rounds)
    began = time.perf_counter()
    peer("imports")
    try:
        for each in chosen:
            print(f"measuring {each.name} …", file=sys.stderr, flush=True)
            bench = Bench(folder / each.name, options.quick, rounds, not options.quick, large_mb)
            report.outcomes.append(measured(each, bench, options.keep))
    finally:
        if options.keep:
            print(f"data and homes are kept in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)
    report.seconds = time.perf_counter() - began
    print(json.dumps(report.json(), indent=2) if options.json else "\n".join(report.text()))
    if report.has_failed:
        return COULD_NOT_RUN
    return MISSED if options.check and report.has_missed else 0


def measured(benchmark: Benchmark, bench: Bench, keep: bool) -> Outcome:
    """What became of a benchmark; one that has no row for a bar that it owes has failed."""
    bench.folder.mkdir()
    outcome = Outcome(benchmark)
    try:
        outcome.rows.extend(benchmark.measure(bench))
        shown = {row.bar.name for row in outcome.rows if row.bar}
        if missing := [bar.name for bar in benchmark.bars if bar.name not in shown]:
            raise RuntimeError(f"nothing was measured for: {', '.join(missing)}")
    except Exception as error:  # the others are measured all the same, and the exit code says it
        traceback.print_exc()
        outcome.failure = f"{type(error).__name__}: {error}"
    if not keep:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(bench.folder)
    return outcome


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    names = [each.name for each in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="small inputs and one round: under two minutes")
    parser.add_argument("--rounds", type=int, help="how often each side is measured (3; with --quick 1)")
    parser.add_argument("--large-mb", type=int, metavar="MB", help="the size of a large file (10240; with --quick 128)")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--check", action="store_true", help=f"end with {MISSED} when a bar is missed")
    parser.add_argument("--keep", action="store_true", help="keep data and homes")
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
