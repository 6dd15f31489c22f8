"""Runs worlds by their seeds; a law that breaks is reported with what repeats it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from .sinks import Sinks, Violation
from .world import PRODUCT, Build, World


def run_world(
    seed: int,
    steps: int,
    folder: Path,
    build: Build = PRODUCT,
    tell: Callable[[str], None] | None = None,
    sinks: Callable[[random.Random], Sinks] = Sinks,
) -> int:
    """The steps that a world took; raises Violation, naming the seed, if one broke a law."""
    world = World(seed, folder, build, tell, sinks)
    try:
        world.run(steps)
    except Exception as broken:  # whatever a node raises is a law broken too
        again = f"python -m tests.simulation --seed {seed} --steps {steps}"
        raise Violation(f"step {world.steps} of seed {seed}: {broken!r}\nrepeat with: {again}") from broken
    finally:
        world.close()
    return world.steps
