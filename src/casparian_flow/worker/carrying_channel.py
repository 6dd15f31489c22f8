"""One table of a job that takes rows over: what was read again is merged with them, in the order of a whole reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from casparian_flow.core.errors import SinkError, VerificationFailed
from casparian_flow.worker.carrying import CarriedTable
from casparian_flow.worker.channel import Channel, SealedTable
from casparian_flow.worker.gathered import Gathered, gather

ONLY = 0
"""The member: a job that takes rows over lands alone."""


class CarryingChannel(Channel):
    """Keeps the accepted rows that were read again until they can be merged; they are few."""

    def __init__(self, carried: CarriedTable, *given: Any) -> None:
        """`given` is what any channel is given."""
        super().__init__(*given)
        self._carried = carried
        self._again: list[Gathered] = []
        self._written: list[Gathered] = []
        self._is_writing_out = False
        self.expect(ONLY)

    def put_accepted(self, rows: Gathered) -> None:
        """Keep rows that fit."""
        if rows.batch.num_rows:
            kept = self._written if self._is_writing_out else self._again
            kept.append(Gathered.of(ONLY, rows.batch, rows.source_row))

    def reject_records(self, rows: Gathered) -> None:
        """Take in records that the parser could not read; those that a person wrote out come behind all rows."""
        self._is_writing_out = True
        super().reject_records(rows)
        self._is_writing_out = False

    def seal(self) -> dict[int, SealedTable]:
        """Merge, and flush everything to disk. Raises VerificationFailed if a row that stays cannot be read."""
        try:
            for rows in self._merged():
                super().put_accepted(rows)
        except (SinkError, pa.ArrowInvalid) as exc:
            error = VerificationFailed("rows that were accepted before cannot be read", why=str(exc))
            error.transient = True
            raise error from exc
        return super().seal()

    def _merged(self) -> Iterator[Gathered]:
        again = _sorted(gather(self._again)) if self._again else None
        numbers = np.zeros(0, np.int64) if again is None else np.asarray(again.source_row, dtype=np.int64)
        at = 0
        for batch, rows in self._carried.rows():
            kept = Gathered.of(ONLY, batch, rows)
            until = int(np.searchsorted(numbers, rows[-1].as_py()))
            if again is not None and until > at:
                kept = _sorted(gather([kept, _slice(again, at, until)]))
                at = until
            yield kept
        if again is not None and at < len(numbers):
            yield _slice(again, at, len(numbers))
        yield from self._written


def _slice(rows: Gathered, first: int, last: int) -> Gathered:
    return Gathered.of(ONLY, rows.batch.slice(first, last - first), rows.source_row.slice(first, last - first))


def _sorted(rows: Gathered) -> Gathered:
    order = pa.array(np.argsort(np.asarray(rows.source_row, dtype=np.int64), kind="stable"))
    return Gathered.of(ONLY, rows.batch.take(order), rows.source_row.take(order))
