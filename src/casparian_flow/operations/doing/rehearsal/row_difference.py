"""How many rows of one stream have no equal in another, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

MEMORY = "512MB"


@dataclass(frozen=True, slots=True)
class RowDifference:
    """Rows that only the later stream has, rows that only the earlier one has, and columns that only one has."""

    added: int
    removed: int
    columns_added: list[str]
    columns_removed: list[str]


def compare_rows(before: pa.RecordBatchReader, after: pa.RecordBatchReader) -> RowDifference:
    """Compare both streams as bags of rows over the columns that both have; each is read once.

    Values of columns that have another type in each are compared as text.
    """
    shared = [name for name in before.schema.names if name in after.schema.names]
    only_after = [name for name in after.schema.names if name not in before.schema.names]
    only_before = [name for name in before.schema.names if name not in after.schema.names]
    columns = ", ".join(
        _quoted(name)
        if before.schema.field(name).type == after.schema.field(name).type
        else f"CAST({_quoted(name)} AS VARCHAR) AS {_quoted(name)}"
        for name in shared
    )
    columns = columns or "1 AS _cf_nothing"
    groups = ", ".join(map(_quoted, shared)) or "_cf_nothing"
    with duckdb.connect(config={"memory_limit": MEMORY, "threads": 1}) as connection:
        connection.register("rows_before", before)
        connection.register("rows_after", after)
        found = connection.execute(
            "SELECT coalesce(sum(n) FILTER (n > 0), 0), coalesce(-sum(n) FILTER (n < 0), 0) FROM ("  # noqa: S608 quoted
            f"  SELECT sum(_cf_step) AS n FROM (SELECT 1 AS _cf_step, {columns} FROM rows_after"
            f"    UNION ALL SELECT -1 AS _cf_step, {columns} FROM rows_before) AS both_sides"
            f"  GROUP BY {groups}) AS uneven"
        ).fetchone()
    assert found is not None
    return RowDifference(int(found[0]), int(found[1]), only_after, only_before)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
