"""Rows on their way to the host: a batch and where in the source each of its rows stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from casparian_flow.guest.problems import BadYield
from casparian_flow.guest.wire import PLACES
from casparian_flow.sdk.emit import Rows

Places = tuple[Any, ...]
"""`source_row`, `start` and `end`, each None or as long as the batch."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A batch with its places as int64 arrays without nulls."""

    batch: pa.RecordBatch
    places: Places

    def slice(self, offset: int, length: int) -> Piece:
        """Some of the rows, without copying."""
        places = tuple(None if place is None else place.slice(offset, length) for place in self.places)
        return Piece(self.batch.slice(offset, length), places)

    def fits(self, other: Piece) -> bool:
        """Whether both can be one piece."""
        same = presence(self.places) == presence(other.places)
        return same and self.batch.schema.equals(other.batch.schema, check_metadata=True)


def presence(places: Places) -> tuple[bool, ...]:
    """Which of the places are known."""
    return tuple(place is not None for place in places)


def join(pieces: Sequence[Piece]) -> Piece:
    """Pieces that fit, as one."""
    if len(pieces) == 1:
        return pieces[0]
    columns = zip(*(piece.places for piece in pieces), strict=True)
    places = tuple(None if column[0] is None else pa.concat_arrays(column) for column in columns)
    return Piece(pa.concat_batches([piece.batch for piece in pieces]), places)


def places_of(rows: Rows) -> Places:
    """The places that the parser gave, as int64 arrays; raises BadYield if they are none."""
    return tuple(_int64(name, getattr(rows, name)) for name in PLACES)


def _int64(name: str, values: Any) -> Any:
    if values is None:
        return None
    try:
        array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, pa.int64())
        if array.type != pa.int64():
            array = array.cast(pa.int64())
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as exc:
        raise BadYield(f"{name} must be int64 numbers: {exc}") from exc
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.int64())
    if array.null_count:
        raise BadYield(f"{name} has nulls; leave it out where the place is not known")
    return array
