"""Rejections counted by cause, within bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.quarantine import QuarantineGroup

MOST_GROUPS = 1000
OVERFLOW = "cf.other"
"""The code of the one group per table that takes the causes beyond the limit."""
_LONGEST = 200
_ROW_BYTES = 100
"""What a rejected row takes besides its texts, about."""


class GroupCounter:
    """Counts rejections by (code, column, shape) for one table; each group keeps its first sample and message."""

    def __init__(self, table: str, limit: int = MOST_GROUPS) -> None:
        self._table = table
        self._limit = limit
        self._groups: dict[tuple[str, str, str], QuarantineGroup] = {}

    def add(self, rejected: pa.RecordBatch) -> None:
        """Count a batch of rejections."""
        if not rejected.num_rows:
            return
        keys = pa.table(
            {
                "code": rejected["code"],
                "column": rejected["column"],
                "shape": rejected["shape"],
                "row": pa.array(range(rejected.num_rows), pa.int64()),
                "bytes": _sizes(rejected),
            }
        )
        counted = keys.group_by(["code", "column", "shape"], use_threads=False).aggregate(
            [("row", "count"), ("row", "min"), ("bytes", "sum")]
        )
        for found in sorted(counted.to_pylist(), key=lambda group: int(group["row_min"])):
            self._count(found, rejected)

    def _count(self, found: dict[str, Any], rejected: pa.RecordBatch) -> None:
        key = (found["code"], found["column"], found["shape"])
        rows, size, first = found["row_count"], found["bytes_sum"], found["row_min"]
        if key not in self._groups and len(self._groups) >= self._limit:
            key = (OVERFLOW, "", "")
        known = self._groups.get(key)
        if known is not None:
            self._groups[key] = replace(known, rows=known.rows + rows, bytes=known.bytes + size)
            return
        errors = rejected["errors"][first].as_py()
        sample = (errors[0]["observed"] if errors else None) or ""
        message = rejected["message"][first].as_py() or ""
        if key[0] == OVERFLOW:
            message = f"causes beyond the first {self._limit}"
        self._groups[key] = QuarantineGroup(
            table=self._table,
            code=key[0],
            column=key[1],
            shape=key[2],
            rows=rows,
            sample=sample[:_LONGEST],
            message=message[:_LONGEST],
            bytes=size,
        )

    def groups(self) -> tuple[QuarantineGroup, ...]:
        """All groups, largest first, ties by code, column and shape."""
        return tuple(
            sorted(self._groups.values(), key=lambda group: (-group.rows, group.code, group.column, group.shape))
        )


def _sizes(rejected: pa.RecordBatch) -> pa.Array:
    """What each row takes in the quarantine before compression: its values, its bytes, and why it is there."""
    size = pa.repeat(pa.scalar(_ROW_BYTES, pa.int64()), rejected.num_rows)
    for name in ("values", "raw", "message"):
        size = pc.add(size, pc.fill_null(pc.binary_length(rejected[name]).cast(pa.int64()), 0))
    return size
