"""`python -m tests.fuzz TARGET --seconds N`: search for bytes that break the law of a target, and keep them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from .search import MISSING, is_there, search  # noqa: E402 - needs the paths
from .target import TARGETS, load_target  # noqa: E402


def main() -> int:
    """0 where nothing broke a law, 1 where something did, 9 without the fuzzer."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[*TARGETS, []], help="all of them if none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzzing"), help="folder of what is found")
    parser.add_argument("--again", type=Path, help="check this one input and nothing else")
    asked = parser.parse_args()
    if asked.again:
        for name in asked.target:
            load_target(name).check(asked.again.read_bytes())
        return 0
    if not is_there():
        print(MISSING, file=sys.stderr)
        return 9
    broken = 0
    for name in asked.target or TARGETS:
        print(f"{name}: {TARGETS[name]}\n  law: {load_target(name).law}", flush=True)
        found = search(
            name,
            seconds=asked.seconds,
            seed=asked.seed,
            crashes=asked.keep / name / "broken",
            corpus=asked.keep / name / "corpus",
        )
        print(f"  {found.tried} inputs tried, {len(found.broken)} break it", flush=True)
        for path in found.broken:
            print(f"  {path}\n{found.said}")
        broken += len(found.broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
