"""`python -m tests.simulation --seed N --steps M`: one world again, or many until one breaks a law."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from .landed_world import run_landed_world
from .mutants import MUTANTS, Mutant
from .worlds import run_world

RIGHT = Mutant("the product's own protocol")


def main() -> None:
    """Run worlds and say how fast; a law that breaks ends it with the seed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first world")
    parser.add_argument("--worlds", type=int, default=1, help="so many worlds, from that seed on")
    parser.add_argument("--steps", type=int, default=400, help="events with faults in each world")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="a protocol that is known to be wrong")
    parser.add_argument("--seconds", type=float, help="begin no world after that long")
    parser.add_argument("--sinks", action="store_true", help="land in real files, and die inside the sinks")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    asked = parser.parse_args()
    mutant = MUTANTS.get(asked.mutant, RIGHT)
    began, steps, deaths = time.perf_counter(), 0, 0
    with TemporaryDirectory() as folder, mutant.at_work() as build:
        for seed in range(asked.seed, asked.seed + asked.worlds):
            if asked.seconds and time.perf_counter() - began > asked.seconds:
                asked.worlds = seed - asked.seed
                break
            tell = print if asked.trace else None
            if asked.sinks:
                taken, died = run_landed_world(seed, asked.steps, Path(folder), build, tell)
                steps, deaths = steps + taken, deaths + died
            else:
                steps += run_world(seed, asked.steps, Path(folder), build, tell)
    seconds = time.perf_counter() - began
    dead = f", {deaths} deaths inside sinks" if asked.sinks else ""
    print(f"{asked.worlds} worlds, {steps} steps, {steps / seconds:.0f} steps/s{dead}: no law broken")


if __name__ == "__main__":
    main()
