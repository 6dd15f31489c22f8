"""Keys seen so far, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.schema.cells import Mask, as_mask
from casparian_flow.schema.rendering import as_text

KEY_BYTES = 16
KEY = np.dtype(f"S{KEY_BYTES}")
MOST_IN_MEMORY = 4 << 20
"""Keys of one rule; more of them lie in files."""

Keys = npt.NDArray[np.bytes_]


class KeyColumn(NamedTuple):
    """The key of each row: its digest, its values as a person reads them, and whether it has one at all."""

    digests: Keys
    texts: pa.Array
    is_whole: Mask


def key_column(columns: Sequence[pa.Array]) -> KeyColumn:
    """The keys of rows from the columns that make them up; a row in which one of them is null has none.

    Equal keys have equal digests whatever batch they are in; unequal ones have unequal digests for all that is known.
    """
    texts = [pc.fill_null(as_text(column), "") for column in columns]
    parts = [
        part for text in texts for part in (pc.binary_length(text).cast(pa.string()), pa.scalar(":"), text)
    ]  # each text behind its length, so that no two keys run into one
    joined = pc.binary_join_element_wise(*parts, "").cast(pa.binary())
    digests = np.frombuffer(b"".join(blake3(key).digest(KEY_BYTES) for key in joined.to_pylist()), KEY)
    is_whole = np.logical_and.reduce([as_mask(column.is_valid()) for column in columns])
    return KeyColumn(digests, pc.binary_join_element_wise(*texts, ", "), is_whole)


class SeenKeys:
    """A set of keys that only grows: sorted runs, of which those that do not fit into memory lie in unnamed files."""

    def __init__(self, folder: Path, most: int = MOST_IN_MEMORY) -> None:
        """Files are made in `folder`; they are gone with this object, however it ends."""
        self._folder = folder
        self._most = most
        self._runs: list[Keys] = []
        self._spilled: list[Keys] = []

    @property
    def runs(self) -> tuple[Keys, ...]:
        """All keys, in parts that are sorted each."""
        return (*self._runs, *self._spilled)

    def has(self, keys: Keys) -> Mask:
        """Which of them were added before."""
        found = np.zeros(len(keys), np.bool_)
        for run in self.runs:
            at = np.searchsorted(run, keys)
            at[at == len(run)] = 0
            found |= run[at].astype(KEY, copy=False) == keys  # of a longer one, that with which it begins
        return found

    def where(self, is_kept: Callable[[Keys], Mask]) -> SeenKeys:
        """The same keys but for those that are not kept; what is added to this set later is not in it.

        Raises SinkUnavailable if those that do not fit into memory cannot be written.
        """
        other = SeenKeys(self._folder, self._most)
        for run in self._runs:
            if (mask := is_kept(run)).any():
                other._runs.append(run if mask.all() else run[mask])
        for run in self._spilled:
            if (mask := is_kept(run)).any():
                other._spilled.append(run if mask.all() else self._spill(run[mask]))
        return other

    def add(self, keys: Keys) -> None:
        """Remember keys; longer ones are found by their first KEY_BYTES.

        Raises SinkUnavailable if those that do not fit into memory cannot be written.
        """
        if not len(keys):
            return
        self._runs.append(np.sort(keys))
        while len(self._runs) > 1 and len(self._runs[-1]) * 2 > len(self._runs[-2]):
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(np.sort(np.concatenate([before, last]), kind="stable"))
        if sum(map(len, self._runs)) > self._most:
            self._spilled.append(self._spill(np.sort(np.concatenate(self._runs), kind="stable")))
            self._runs = []

    def _spill(self, keys: Keys) -> Keys:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                keys.tofile(file)
                file.flush()
                return np.memmap(file, keys.dtype, "r")
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise SinkUnavailable("keys cannot be kept while rows are read", where=str(self._folder), why=why) from exc
