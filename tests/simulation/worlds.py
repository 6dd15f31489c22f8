"""Runs worlds by their seeds; a law that breaks is reported with what repeats it."""

from __future__ import annotations

from pathlib import Path

from .sinks import Violation
from .world import Build, World


def run_world(seed: int, steps: int, folder: Path, build: Build = Build()) -> int:
    """The steps that a world took; raises Violation, naming the seed, if one broke a law."""
    world = World(seed, folder, build)
    try:
        world.run(steps)
    except Violation as broken:
        again = f"python -m tests.simulation --seed {seed} --steps {steps}"
        raise Violation(f"step {world.steps} of seed {seed}: {broken}\nrepeat with: {again}") from broken
    finally:
        world.close()
    return world.steps
