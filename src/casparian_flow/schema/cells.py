"""The non-null cells of one text column as bytes that numpy can look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Cells:
    """A view of string cells without nulls: their array, bytes, and where each begins and ends."""

    def __init__(self, array: pa.Array) -> None:
        """`array` has type string and no nulls."""
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    @cached_property
    def _offsets(self) -> npt.NDArray[np.int32]:
        count, at = len(self.array), self.array.offset
        buffer = self.array.buffers()[1]
        if count == 0 or buffer is None:
            return np.zeros(count + 1, np.int32)
        return np.frombuffer(buffer, np.int32)[at : at + count + 1]

    @cached_property
    def data(self) -> Bytes:
        """The bytes of all cells, one after another and nothing else."""
        buffer = self.array.buffers()[2]
        if buffer is None:
            return np.zeros(0, np.uint8)
        return np.frombuffer(buffer, np.uint8)[self._offsets[0] : self._offsets[-1]]

    @cached_property
    def starts(self) -> npt.NDArray[np.int32]:
        """Where in `data` each cell begins."""
        starts: npt.NDArray[np.int32] = self._offsets[:-1] - self._offsets[0]
        return starts

    @cached_property
    def lengths(self) -> npt.NDArray[np.int32]:
        """How many bytes each cell has."""
        return np.diff(self._offsets)

    @cached_property
    def longest(self) -> int:
        """The length of the longest cell, 0 if there is none."""
        return int(self.lengths.max()) if len(self) else 0

    @cached_property
    def shortest(self) -> int:
        """The length of the shortest cell, 0 if there is none."""
        return int(self.lengths.min()) if len(self) else 0

    def byte(self, at: int) -> Bytes:
        """Each cell's byte at a place counted from its start, or from its end if negative; 0 where it is shorter."""
        wanted = at + 1 if at >= 0 else -at
        if self.shortest == self.longest >= wanted:
            return self.data[at % self.longest :: self.longest]
        where = self.starts + at if at >= 0 else self.starts + self.lengths + at
        if self.shortest >= wanted:
            return self.data[where]
        long_enough = self.lengths >= wanted
        found = np.zeros(len(self), np.uint8)
        found[long_enough] = self.data[where[long_enough]]
        return found

    def columns(self, rows: Ints | None, length: int) -> Bytes:
        """The first `length` bytes of some cells (None: all), as one row per place; the cells are long enough."""
        if rows is None and self.shortest == self.longest == length:
            return np.ascontiguousarray(self.data.reshape(len(self), length).T)
        starts = self.starts if rows is None else self.starts[rows]
        block: Bytes = self.data[np.arange(length)[:, None] + starts]
        return block

    def where(self, mask: Mask) -> Cells:
        """Only the cells that the mask names."""
        return Cells(self.array.filter(pa.array(mask)))


@dataclass(frozen=True, slots=True)
class Reading:
    """Cells read as a type: values with null where a cell does not fit; `failed` is None when all fit."""

    values: pa.Array
    failed: Mask | None = None


def matching(cells: Cells, pattern: str) -> Mask:
    """Which cells match an RE2 pattern."""
    return as_mask(pc.match_substring_regex(cells.array, pattern))


def as_mask(array: pa.Array) -> Mask:
    """A boolean array without nulls as numpy has it."""
    return np.asarray(array.to_numpy(zero_copy_only=False), np.bool_)


def from_numpy(values: npt.NDArray[Any], kind: pa.DataType, failed: Mask | None = None) -> pa.Array:
    """A fixed-width array over numpy values, null where they failed."""
    valid, nulls = None, 0
    if failed is not None:
        valid = pa.py_buffer(np.packbits(~failed, bitorder="little"))
        nulls = int(failed.sum())
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))], nulls)


def reading(values: npt.NDArray[Any], kind: pa.DataType, failed: Mask) -> Reading:
    """A reading from numpy values and the mask of those that do not fit."""
    if failed.any():
        return Reading(from_numpy(values, kind, failed), failed)
    return Reading(from_numpy(values, kind))


def scatter(part: pa.Array, fits: Mask) -> Reading:
    """The reading of all cells from the values of those that fit."""
    if len(part) == len(fits):
        return Reading(part)
    at = np.cumsum(fits) - 1
    return Reading(part.take(pa.array(at, mask=~fits)), ~fits)


def nothing(count: int, kind: pa.DataType) -> Reading:
    """The reading when no cell fits."""
    return Reading(pa.nulls(count, kind), np.ones(count, np.bool_))
