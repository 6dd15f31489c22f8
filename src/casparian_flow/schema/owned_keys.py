"""Keys of rows, each with the job that brought it: what a job brought can be left out again."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from casparian_flow.schema.cells import Mask
from casparian_flow.schema.seen_keys import KEY, MOST_IN_MEMORY, Keys, SeenKeys

_OWNED = np.dtype([("key", KEY), ("job", ">i8")])
_AS_KEY = np.dtype(f"S{_OWNED.itemsize}")
"""Sorted as keys are, by job where they are equal: one search finds a key whoever brought it."""


class OwnedKeys:
    """A set of keys in bounded memory that knows the jobs they are of."""

    def __init__(self, folder: Path, most: int = MOST_IN_MEMORY) -> None:
        """Files are made in `folder` for what is beyond the `most` in memory."""
        self._keys = SeenKeys(folder, most)

    def has(self, keys: Keys) -> Mask:
        """Which of them some job brought."""
        return self._keys.has(keys)

    def add(self, keys: Keys, jobs: npt.NDArray[np.int64]) -> None:
        """Remember keys, each with its job; raises SinkUnavailable if they cannot be written."""
        owned = np.empty(len(keys), _OWNED)
        owned["key"], owned["job"] = keys, jobs
        self._keys.add(owned.view(_AS_KEY))

    def has_beside(self, keys: Keys, jobs: Collection[int]) -> Mask:
        """Which of them some other job brought than these; it takes as long as a key has owners among them."""
        gone, found = np.array(sorted(jobs), np.int64), np.zeros(len(keys), np.bool_)
        for run in self._keys.runs:
            left = np.flatnonzero(~found)
            at = np.searchsorted(run, keys[left])
            while len(left):
                there = run[at.clip(max=len(run) - 1)].view(_OWNED)
                is_it = (at < len(run)) & (there["key"] == keys[left])
                is_gone = is_it & np.isin(there["job"], gone)
                found[left[is_it & ~is_gone]] = True
                left, beyond = left[is_gone], there[is_gone]
                beyond["job"] += 1
                at = np.searchsorted(run, beyond.view(_AS_KEY))
        return found

    def without(self, jobs: Collection[int]) -> OwnedKeys:
        """The same keys but for those that only these jobs brought; what is added to this set later is not in it."""
        gone = np.array(sorted(jobs), np.int64)
        other = OwnedKeys.__new__(OwnedKeys)
        other._keys = self._keys.where(lambda run: ~np.isin(run.view(_OWNED)["job"], gone))
        return other
