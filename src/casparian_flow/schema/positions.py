"""Where rows stand: in which source and at which place in it, in ascending order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from casparian_flow.schema.cells import Ints, Mask


@dataclass(frozen=True, slots=True)
class Positions:
    """The number of each row in its source; `owners` says which of the sorted `sources` it is, None for the first."""

    rows: Ints
    sources: tuple[str, ...]
    owners: npt.NDArray[np.int32] | None = None

    @classmethod
    def sorted(cls, rows: Ints, runs: Sequence[tuple[str, int]]) -> tuple[Positions, Ints | None]:
        """The positions of rows in ascending order, and which row comes where; None where they are in order already.

        `runs` say, in order, from which source so many rows come.
        """
        names = sorted({name for name, _ in runs})
        owners: npt.NDArray[np.int32] | None = None
        if len(names) > 1:
            place = {name: at for at, name in enumerate(names)}
            owners = np.repeat(np.array([place[name] for name, _ in runs], np.int32), [count for _, count in runs])
        order = _order(rows, owners)
        if order is not None:
            rows, owners = rows[order], None if owners is None else owners[order]
        return cls(rows, tuple(names) or ("",), owners), order

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: slice | Mask | Ints) -> Positions:
        """Some of them, in the same order."""
        return Positions(self.rows[which], self.sources, None if self.owners is None else self.owners[which])

    def place(self, at: int) -> tuple[str, int]:
        """The source and the number of one row."""
        return self.sources[0 if self.owners is None else int(self.owners[at])], int(self.rows[at])

    def up_to(self, among: Ints, last: int) -> Ints:
        """Those of the given rows that stand no later than the row `last`: rows may repeat."""
        kept: Ints = among[self._not_after(among, last)]
        return kept

    def _not_after(self, among: Ints, last: int) -> Mask:
        earlier: Mask = self.rows[among] <= self.rows[last]
        if self.owners is None:
            return earlier
        owners, owner = self.owners[among], self.owners[last]
        before: Mask = (owners < owner) | ((owners == owner) & earlier)
        return before


def _order(rows: Ints, owners: npt.NDArray[np.int32] | None) -> Ints | None:
    if len(rows) < 2:
        return None
    steps = np.diff(rows)
    if owners is None:
        return np.argsort(rows, kind="stable") if (steps < 0).any() else None
    moves = np.diff(owners)
    if ((moves < 0) | ((moves == 0) & (steps < 0))).any():
        return np.lexsort((rows, owners))
    return None
