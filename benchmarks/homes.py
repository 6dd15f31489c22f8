"""Homes to measure over: none yet, or one where a table's contract is in place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.process import Measured, casparian


class Home:
    """A home that can be put back to how it was before each run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "home"
        self._prepared = folder / "prepared"

    def forget(self) -> None:
        """As on a machine that never ran the product."""
        shutil.rmtree(self.path, ignore_errors=True)

    def prepare(self, *arguments: str) -> None:
        """Run once over a sample and keep what the home is like after it."""
        self.forget()
        casparian(self.path, "run", *arguments)
        self.path.rename(self._prepared)

    def restore(self) -> None:
        """As it was after `prepare`."""
        self.forget()
        shutil.copytree(self._prepared, self.path)

    def run(self, *arguments: str, rows: int, under: Sequence[str] = ()) -> Measured:
        """`casparian run`, with the words of `under` before it; fails unless every row was accepted."""
        done = casparian(self.path, "run", *arguments, under=under)
        if done.json["accepted"] != rows:
            raise RuntimeError(f"{done.json['accepted']:,} of {rows:,} rows were accepted:\n{done.out[-2000:]}")
        return done
