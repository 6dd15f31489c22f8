"""Rejected rows of some jobs that were rejected for one reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.lineage import JOB_ID

CAUSE_COLUMNS = ("code", "column", "shape")
"""By what rejected rows say why they were; a row without a column has none there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejects:
    """The rows of these jobs whose code, first failed column and shape are these."""

    code: str
    column: str
    shape: str
    jobs: frozenset[int]

    def among(self, batch: pa.RecordBatch) -> pa.Array:
        """Which rows of a batch of the quarantine are among them."""
        found = pc.is_in(batch.column(JOB_ID), pa.array(sorted(self.jobs), pa.int64()))
        for name in CAUSE_COLUMNS:
            found = pc.and_(found, pc.equal(pc.fill_null(batch.column(name), ""), getattr(self, name)))
        return found


def without(batch: pa.RecordBatch, rejects: Sequence[Rejects]) -> pa.RecordBatch:
    """The rows of a batch that are among none of them."""
    for each in rejects:
        batch = batch.filter(pc.invert(each.among(batch)))
    return batch
