"""The digest of a table's rows: of their names, types, values and order, and of nothing else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from blake3 import blake3

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.hashing import PREFIX
from casparian_flow.schema.arrow import normalise
from casparian_flow.schema.cells import Ints, as_mask

CHUNK = 65_536
CHUNK_BYTES = 32 << 20
"""Rows are hashed in pieces that end with the row that reaches either size, however they arrive: what waits for its
piece is in memory, and rows may be wide."""
_CANONICAL_NAN = np.float64("nan")


class RowDigest:
    """A running digest over batches of one schema.

    It does not depend on how rows are cut into batches, on slices, padding, bytes under nulls or dictionary
    encoding; it does on column names, types, values and the order of rows and columns.
    """

    def __init__(self) -> None:
        self._hasher = blake3()
        self._schema: pa.Schema | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._at_most = 0
        self._size = 0
        self._measured = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add rows; raises InvariantBroken if their schema differs from the first batch's."""
        batch = normalise(batch)
        if self._schema is None:
            self._schema = batch.schema
            names = [[field.name, str(field.type)] for field in batch.schema]
            self._hasher.update(repr(names).encode())
        elif not batch.schema.equals(self._schema):
            raise InvariantBroken("a row digest met rows of another schema", why=f"{batch.schema}")
        while batch.num_rows:
            rows, completes = self._fitting(batch)
            self._waiting.append(batch.slice(0, rows))
            self._rows += rows
            batch = batch.slice(rows)
            if completes:
                self._flush()

    def hex(self) -> str:
        """`blake3:` and the digest of all rows so far; no rows may follow."""
        if self._rows:
            self._flush()
        return PREFIX + self._hasher.hexdigest()

    def _fitting(self, batch: pa.RecordBatch) -> tuple[int, bool]:
        """How many rows of the batch belong to the piece that waits, and whether they complete it.

        Bytes are counted only where buffers are large enough for them to matter.
        """
        batch = batch.slice(0, CHUNK - self._rows)
        rows = batch.num_rows
        is_full = self._rows + rows == CHUNK
        self._at_most += batch.nbytes
        if self._at_most < CHUNK_BYTES:
            return rows, is_full
        self._size += sum(int(row_bytes(known).sum()) for known in self._waiting[self._measured :])
        self._measured = len(self._waiting) + 1
        sizes = self._size + np.cumsum(row_bytes(batch))
        self._size = int(sizes[-1])
        if self._size < CHUNK_BYTES:
            return rows, is_full
        return int(np.searchsorted(sizes, CHUNK_BYTES)) + 1, True

    def _flush(self) -> None:
        waiting, self._waiting, self._rows = self._waiting, [], 0
        self._at_most = self._size = self._measured = 0
        rows = sum(batch.num_rows for batch in waiting)
        self._hasher.update(rows.to_bytes(8, "little"))
        for at in range(waiting[0].num_columns):
            parts = [batch.column(at) for batch in waiting]
            self._add(parts[0] if len(parts) == 1 else pa.concat_arrays(parts))

    def _add(self, array: pa.Array) -> None:
        """Hash one column: its validity, then its values in a canonical form."""
        count = len(array)
        self._hasher.update(array.null_count.to_bytes(8, "little"))
        if array.null_count:
            self._hasher.update(np.packbits(as_mask(array.is_valid())).tobytes())
        kind = array.type
        if array.null_count == count:
            return
        if pt.is_boolean(kind):
            self._hasher.update(np.packbits(as_mask(array.drop_null())).tobytes())
        elif pt.is_struct(kind):
            dense = array.drop_null()
            for child in dense.flatten():
                self._add(child)
        elif pt.is_list(kind):
            dense = array.drop_null()
            self._bytes(pc.list_value_length(dense).to_numpy())
            self._add(dense.flatten())
        elif pt.is_string(kind) or pt.is_binary(kind):
            self._text(array.drop_null() if array.null_count else array)
        else:
            self._fixed(array.drop_null() if array.null_count else array)

    def _text(self, array: pa.Array) -> None:
        offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
        self._bytes(np.diff(offsets))
        if array.buffers()[2] is not None:
            self._hasher.update(memoryview(array.buffers()[2])[offsets[0] : offsets[-1]])

    def _fixed(self, array: pa.Array) -> None:
        width = array.type.bit_width // 8
        data = memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
        if pt.is_floating(array.type):
            floats = np.frombuffer(data, np.float64)
            if np.isnan(floats).any():
                self._bytes(np.where(np.isnan(floats), _CANONICAL_NAN, floats))
                return
        self._hasher.update(data)

    def _bytes(self, values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> None:
        self._hasher.update(values.tobytes())


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
