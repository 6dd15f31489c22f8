"""The digest of a table's rows: of their names, types, values and order, and of nothing else."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from blake3 import blake3

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.hashing import PREFIX
from casparian_flow.schema.arrow import normalise, type_text
from casparian_flow.schema.cells import Ints, as_mask

CHUNK = 65_536
CHUNK_BYTES = 32 << 20
"""Rows are hashed in pieces that end with the row that reaches either size, however they arrive: what waits for its
piece is in memory, and rows may be wide."""
_SMALL = 1 << 20
_CANONICAL_NAN = np.float64("nan")
_NO_NULLS = (0).to_bytes(8, "little")


class Content:
    """A batch made ready to be hashed, whole or in pieces that are not copied."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = normalise(batch)
        self.names = repr([[field.name, type_text(field.type)] for field in self.batch.schema]).encode()

    def at_most(self, start: int, rows: int) -> int:
        """Bytes that some of the rows do not exceed."""
        return self._bytes if self._bytes < _SMALL else int(self.batch.slice(start, rows).nbytes)

    @cached_property
    def _bytes(self) -> int:
        return int(self.batch.nbytes)

    @cached_property
    def columns(self) -> list[_Column]:
        """What is hashed of each column."""
        return [_Column(column) for column in self.batch.columns]


class RowDigest:
    """A running digest over batches of one schema.

    It does not depend on how rows are cut into batches, on slices, padding, bytes under nulls or dictionary
    encoding; it does on column names, types, values and the order of rows and columns.
    """

    def __init__(self) -> None:
        self._hasher = blake3()
        self._names: bytes | None = None
        self._waiting: list[tuple[Content, int, int]] = []
        self._rows = 0
        self._at_most = 0
        self._size = 0
        self._measured = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add rows; raises InvariantBroken if their schema differs from the first batch's."""
        self.add(Content(batch), 0, batch.num_rows)

    def add(self, content: Content, start: int, rows: int) -> None:
        """Add some of the rows of a batch, from row `start` on; raises InvariantBroken as `update` does."""
        if self._names is None:
            self._names = content.names
            self._hasher.update(self._names)
        elif content.names != self._names:
            raise InvariantBroken("a row digest met rows of another schema", why=f"{content.batch.schema}")
        while rows:
            taken, completes = self._fitting(content, start, min(rows, CHUNK - self._rows))
            self._waiting.append((content, start, taken))
            self._rows += taken
            start += taken
            rows -= taken
            if completes:
                self._flush()

    def hex(self) -> str:
        """`blake3:` and the digest of all rows so far; no rows may follow."""
        if self._rows:
            self._flush()
        return PREFIX + self._hasher.hexdigest()

    def _fitting(self, content: Content, start: int, rows: int) -> tuple[int, bool]:
        """How many of these rows belong to the piece that waits, and whether they complete it.

        Bytes are counted only where buffers are large enough for them to matter.
        """
        is_full = self._rows + rows == CHUNK
        self._at_most += content.at_most(start, rows)
        if self._at_most < CHUNK_BYTES:
            return rows, is_full
        self._size += sum(int(row_bytes(known.batch.slice(*place)).sum()) for known, *place in self._unmeasured())
        self._measured = len(self._waiting) + 1
        sizes = self._size + np.cumsum(row_bytes(content.batch.slice(start, rows)))
        self._size = int(sizes[-1])
        if self._size < CHUNK_BYTES:
            return rows, is_full
        return int(np.searchsorted(sizes, CHUNK_BYTES)) + 1, True

    def _unmeasured(self) -> list[tuple[Content, int, int]]:
        return self._waiting[self._measured :]

    def _flush(self) -> None:
        waiting, self._waiting, self._rows = self._waiting, [], 0
        self._at_most = self._size = self._measured = 0
        rows = sum(taken for _, _, taken in waiting)
        self._hasher.update(rows.to_bytes(8, "little"))
        if len(waiting) == 1:
            content, start, taken = waiting[0]
            for column in content.columns:
                column.hash_into(self._hasher, start, taken)
            return
        batches = [content.batch.slice(start, taken) for content, start, taken in waiting]
        for at in range(batches[0].num_columns):
            _Column(pa.concat_arrays([batch.column(at) for batch in batches])).hash_into(self._hasher, 0, rows)


class _Column:
    """One column: where nothing is null, its values lie in one piece of memory, and a slice of it is all there is."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array
        self._values: memoryview | None = None
        self._width = 0
        self._offsets: np.ndarray[tuple[int], np.dtype[np.int32]] | None = None
        self._lengths: memoryview | None = None
        if not len(array) or array.null_count:
            return
        kind = array.type
        if pt.is_string(kind) or pt.is_binary(kind):
            self._lay_out_text()
        elif not (pt.is_boolean(kind) or pt.is_nested(kind)):
            self._lay_out_fixed()

    def hash_into(self, hasher: blake3, start: int, rows: int) -> None:
        """Hash some rows: their validity, then their values in a canonical form."""
        if self._values is None:
            whole = start == 0 and rows == len(self._array)
            _hash(hasher, self._array if whole else self._array.slice(start, rows))
            return
        hasher.update(_NO_NULLS)
        if self._lengths is not None:
            assert self._offsets is not None
            hasher.update(self._lengths[4 * start : 4 * (start + rows)])
            hasher.update(self._values[int(self._offsets[start]) : int(self._offsets[start + rows])])
        else:
            hasher.update(self._values[start * self._width : (start + rows) * self._width])

    def _lay_out_text(self) -> None:
        array = self._array
        offsets = _offsets(array)
        self._offsets = offsets
        self._lengths = _bytes_of(np.diff(offsets))
        self._values = memoryview(array.buffers()[2]).cast("B") if array.buffers()[2] is not None else memoryview(b"")

    def _lay_out_fixed(self) -> None:
        self._width = self._array.type.bit_width // 8
        self._values = _fixed(self._array)


def _hash(hasher: blake3, array: pa.Array) -> None:
    """Hash one column: its validity, then its values in a canonical form."""
    count, nulls = len(array), array.null_count
    hasher.update(nulls.to_bytes(8, "little"))
    if nulls == count:
        hasher.update(bytes(-(-count // 8)))
        return
    if nulls:
        hasher.update(np.packbits(as_mask(array.is_valid())).tobytes())
    kind = array.type
    dense = array.drop_null() if nulls else array
    if pt.is_boolean(kind):
        hasher.update(np.packbits(as_mask(dense)).tobytes())
    elif pt.is_struct(kind):
        for child in dense.flatten():
            _hash(hasher, child)
    elif pt.is_list(kind):
        hasher.update(_bytes_of(pc.list_value_length(dense).to_numpy()))
        _hash(hasher, dense.flatten())
    elif pt.is_string(kind) or pt.is_binary(kind):
        offsets = _offsets(dense)
        hasher.update(_bytes_of(np.diff(offsets)))
        if dense.buffers()[2] is not None:
            hasher.update(memoryview(dense.buffers()[2])[offsets[0] : offsets[-1]])
    else:
        hasher.update(_fixed(dense))


def _offsets(array: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Where the texts begin and end."""
    return np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]


def _fixed(array: pa.Array) -> memoryview:
    """The values of a column without nulls; every not-a-number is the same one."""
    width = array.type.bit_width // 8
    data = memoryview(array.buffers()[1]).cast("B")[array.offset * width : (array.offset + len(array)) * width]
    if pt.is_floating(array.type):
        floats = np.frombuffer(data, np.float64)
        if np.isnan(floats).any():
            return _bytes_of(np.where(np.isnan(floats), _CANONICAL_NAN, floats))
    return data


def _bytes_of(values: np.ndarray[tuple[int], np.dtype[Any]]) -> memoryview:
    return memoryview(values.tobytes())


def row_bytes(batch: pa.RecordBatch) -> Ints:
    """The bytes of each row's values, whatever lies under nulls; flags count as nothing."""
    return sum((_value_bytes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))


def _value_bytes(array: pa.Array) -> Ints:
    kind = array.type
    sizes = np.zeros(len(array), np.int64)
    if array.null_count == len(array) or pt.is_boolean(kind):
        return sizes
    is_valid = as_mask(array.is_valid())
    dense = array.drop_null() if array.null_count else array
    if pt.is_struct(kind):
        sizes[is_valid] = sum(map(_value_bytes, dense.flatten()))
    elif pt.is_list(kind):
        ends = np.cumsum(pc.list_value_length(dense).to_numpy())
        upto = np.concatenate(([0], np.cumsum(_value_bytes(dense.flatten()))))
        sizes[is_valid] = np.diff(upto[np.concatenate(([0], ends))])
    elif pt.is_string(kind) or pt.is_binary(kind):
        sizes[is_valid] = pc.binary_length(dense).to_numpy()
    else:
        sizes[is_valid] = kind.bit_width // 8
    return sizes
