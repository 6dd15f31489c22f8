"""`PYTHONPATH=src:tests python -m tests.chaos --seed N --seconds S`: trials from a seed on, until one fails."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import mkdtemp

from .trial import SCHEMES, run_trial


def main() -> None:
    """Run trials and say what happens; one that fails leaves its files and ends it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first trial")
    parser.add_argument("--trials", type=int, default=1, help="so many, each with the next seed")
    parser.add_argument("--seconds", type=float, default=30.0, help="of faults in each trial")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--files", type=int, default=5, help="of each kind")
    parser.add_argument("--sinks", default=",".join(SCHEMES))
    asked = parser.parse_args()
    for seed in range(asked.seed, asked.seed + asked.trials):
        root, began = Path(mkdtemp(prefix=f"chaos-{seed}-")), time.monotonic()
        print(f"seed {seed} in {root}", flush=True)
        run_trial(
            root,
            seed,
            asked.seconds,
            schemes=tuple(asked.sinks.split(",")),
            workers=asked.workers,
            files=asked.files,
            tell=lambda line: print(line, flush=True),
        )
        print(f"seed {seed}: nothing is wrong after {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
