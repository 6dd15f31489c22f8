"""The rows of one output, gathered until they are worth a frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from casparian_flow.guest.batches import is_row_list, rows_to_batch, to_batches
from casparian_flow.guest.pieces import Piece, join, places_of, presence
from casparian_flow.guest.plain import plain_batch
from casparian_flow.guest.problems import BadYield
from casparian_flow.sdk.emit import Rows

LEAST_ROWS = 8_192
"""Enough rows for a frame of their own, where waiting for more would mean to copy them or to send too many."""
TARGET_ROWS = 16_384
TARGET_BYTES = 4 << 20


class Gatherer:
    """Calls `send` with pieces of at most about 16,384 rows or 4 MiB, in the order in which rows were added."""

    def __init__(self, send: Callable[[Piece], None]) -> None:
        self._send = send
        self._pieces: list[Piece] = []
        self._dicts: list[Mapping[str, Any]] = []
        self._dict_places: list[list[pa.Array] | None] = []
        self._rows = 0
        self._bytes = 0
        self._measured = 0
        self._unmeasured: list[pa.RecordBatch] = []
        self._known: dict[str, pa.Field] = {}

    def add(self, rows: Rows) -> None:
        """Take rows; raises BadYield if they are no rows."""
        if is_row_list(rows.data):
            self._add_dicts(rows)
        else:
            self._add_batches(rows)

    def flush(self) -> None:
        """Send what waits."""
        is_one = len(self._pieces) == 1
        if self._dicts:
            self._pieces = [self._piece_of_dicts()]
            self._dicts = []
        if self._pieces:
            piece = join(self._pieces)
            size = self._bytes if is_one and self._bytes < TARGET_BYTES else piece.batch.nbytes
            self._pieces = []
            self._rows = self._bytes = self._measured = 0
            self._unmeasured = []
            self._send_slices(piece, size)

    def _add_batches(self, rows: Rows) -> None:
        if self._dicts:
            self.flush()
        places = places_of(rows)
        done = 0
        for batch in to_batches(rows.data):
            mine = tuple(None if place is None else place.slice(done, batch.num_rows) for place in places)
            done += batch.num_rows
            _check_lengths(mine, batch.num_rows)
            self._add_piece(Piece(batch, mine))
        if any(place is not None and len(place) != done for place in places):
            raise BadYield(f"source_row, start and end must be as long as the data ({done} rows)")

    def _add_piece(self, piece: Piece) -> None:
        rows = piece.batch.num_rows
        is_enough = self._rows >= LEAST_ROWS and self._rows + rows > TARGET_ROWS
        if self._pieces and (is_enough or not self._pieces[-1].fits(piece)):
            self.flush()
        self._pieces.append(piece)
        self._unmeasured.append(piece.batch)
        most = piece.batch.get_total_buffer_size() * piece.batch.num_columns  # columns may share their buffers
        if self._bytes + most >= TARGET_BYTES:  # else it is little in any case, and to measure a small batch takes long
            most = self._measure() - self._bytes
        self._grow(rows, most)
        if len(self._pieces) == 1 and rows >= LEAST_ROWS:
            self.flush()

    def _measure(self) -> int:
        """The bytes of the batches that wait; each is measured once."""
        self._measured += sum(batch.nbytes for batch in self._unmeasured)
        self._unmeasured = []
        return self._measured

    def _add_dicts(self, rows: Rows) -> None:
        places = places_of(rows)
        _check_lengths(places, len(rows.data))
        if self._pieces or (self._dicts and presence(places) != presence(tuple(self._dict_places))):
            self.flush()
        remaining = iter(rows.data)
        done = 0
        while some := list(islice(remaining, TARGET_ROWS - self._rows)):
            if not self._dicts:
                self._dict_places = [None if place is None else [] for place in places]
            self._dicts += some
            for waiting, place in zip(self._dict_places, places, strict=True):
                if waiting is not None:
                    waiting.append(place.slice(done, len(some)))
            done += len(some)
            self._grow(len(some), len(some) * _estimated_size(some[0]))

    def _grow(self, rows: int, size: int) -> None:
        self._rows += rows
        self._bytes += size
        if self._rows >= TARGET_ROWS or self._bytes >= TARGET_BYTES:
            self.flush()

    def _piece_of_dicts(self) -> Piece:
        batch = self._settle(plain_batch(rows_to_batch(self._dicts)))
        return Piece(batch, tuple(None if place is None else pa.concat_arrays(place) for place in self._dict_places))

    def _settle(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with absent and all-null columns as they were last seen, so that schemas change little."""
        found = dict(zip(batch.schema.names, zip(batch.schema, batch.columns, strict=True), strict=True))
        for name, field in self._known.items():
            if name not in found or pa.types.is_null(found[name][0].type):
                found[name] = (field, pa.nulls(batch.num_rows, field.type))
        self._known |= {name: field for name, (field, _) in found.items()}
        columns = [found[name][1] for name in self._known]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self._known.values())))

    def _send_slices(self, piece: Piece, size: int) -> None:
        total = piece.batch.num_rows
        rows_by_size = TARGET_BYTES * max(total, 1) // max(size, 1)
        most = max(1, min(TARGET_ROWS, rows_by_size))
        step = math.ceil(total / math.ceil(total / most)) if total else 1  # equal parts, none of them a small rest
        for offset in range(0, max(total, 1), step):
            self._send(piece.slice(offset, min(step, total - offset)))


def _check_lengths(places: tuple[Any, ...], rows: int) -> None:
    if any(place is not None and len(place) != rows for place in places):
        raise BadYield(f"source_row, start and end must be as long as the data ({rows} rows)")


def _estimated_size(row: Mapping[str, Any]) -> int:
    return sum(len(value) if isinstance(value, (str, bytes)) else 16 for value in row.values())
