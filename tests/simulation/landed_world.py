"""A world whose rows land in real files, and in which workers and the sentinel die inside the sinks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .landed_sinks import LandedSinks
from .mortality import Died, Mortality
from .sentinel_node import Crash, SentinelNode
from .sinks import Violation
from .worker_node import WorkerNode
from .world import PRODUCT, Build, World


class MortalNode(WorkerNode):
    """A worker that is killed while it works at a sink; it must not be asked again."""

    is_dead = False

    def receive(self, data: bytes, now: float) -> None:
        """As a worker that lives."""
        self._living(lambda: super(MortalNode, self).receive(data, now))

    def tick(self, now: float) -> None:
        """As a worker that lives."""
        self._living(lambda: super(MortalNode, self).tick(now))

    def work(self, now: float) -> bool:
        """As a worker that lives; it did something if it died of it."""
        return self._living(lambda: super(MortalNode, self).work(now))

    def _living(self, do: Callable[[], Any]) -> bool:
        if self.is_dead:
            return False
        try:
            return bool(do())
        except Died:
            self.is_dead = True
            return True


class LandedWorld(World):
    """Deaths inside sinks are among what goes wrong."""

    def __init__(
        self, seed: int, folder: Path, build: Build = PRODUCT, tell: Callable[[str], None] | None = None
    ) -> None:
        self.mortality = Mortality(random.Random(f"deaths of {seed}"))
        self.mortality.rate = random.Random(seed).choice((0.0, 0.01, 0.04, 0.1))
        root = folder / f"targets{seed}"

        def sinks(chance: random.Random) -> LandedSinks:
            return LandedSinks(chance, root, self.mortality)

        super().__init__(seed, folder, replace(build, node=MortalNode), tell, sinks)
        # What a refused group leaves when its worker dies may stay until the next start of a sentinel.
        self._habits.rejects = 0.0

    def run(self, steps: int) -> None:
        """As in any world."""
        with self.mortality.at_work():
            super().run(steps)

    def _happen(self, event: Callable[[], None]) -> None:
        super()._happen(event)
        self._bury()

    def _calm_down(self) -> None:
        self.mortality.rate = 0.0
        super()._calm_down()

    def _bury(self) -> None:
        for name, worker in self._workers.items():
            if isinstance(worker, MortalNode) and worker.is_dead:
                self._workers[name] = None
                if self._tell is not None:
                    self._tell(f"{self.steps:5} {self._now:9.2f} {worker.session} died inside a sink")

    def _new_sentinel(self) -> SentinelNode | None:
        try:
            return super()._new_sentinel()
        except Died:
            return None

    def _at_sentinel(self, node: SentinelNode, do: Callable[[], object]) -> bool:
        def mortal() -> None:
            try:
                do()
            except Died as died:
                raise Crash from died

        return super()._at_sentinel(node, mortal)


def run_landed_world(
    seed: int, steps: int, folder: Path, build: Build = PRODUCT, tell: Callable[[str], None] | None = None
) -> tuple[int, int]:
    """The steps that a world took and the deaths inside its sinks; raises Violation if it broke a law."""
    world = LandedWorld(seed, folder, build, tell)
    try:
        world.run(steps)
    except Exception as broken:  # whatever a node raises is a law broken too
        again = f"python -m tests.simulation --sinks --seed {seed} --steps {steps}"
        raise Violation(f"step {world.steps} of seed {seed}: {broken!r}\nrepeat with: {again}") from broken
    finally:
        world.close()
    return world.steps, world.mortality.deaths
