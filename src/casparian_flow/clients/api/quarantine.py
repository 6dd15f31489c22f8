"""Rejected rows for Python: each with all its reasons and what the file held there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.lineage import SOURCE_ROW
from casparian_flow.core.text import safe_text
from casparian_flow.schema.rejections import REJECTION_SCHEMA

TABLE = "table"
SCHEMA = pa.schema([pa.field(TABLE, pa.string()), *REJECTION_SCHEMA, pa.field(SOURCE_ROW, pa.int64())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One reason against a row. `column` is None where the reason is no column's."""

    code: str
    column: str | None
    expected: str | None
    observed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """One row that did not fit.

    `row` is its number in the source from 1, `start` and `end` its bytes where the parser knows them, `locator` another
    way to find it. `code`, `column` and `message` are those of the first of `faults`; `column` is empty where the whole
    row is at fault. `values` are its cells as text by column if it could be split into cells, `raw` its bytes (at most
    64 KiB of them) if it could not.
    """

    table: str
    row: int
    code: str
    column: str
    message: str
    faults: tuple[Fault, ...]
    values: Mapping[str, str | None] | None
    raw: bytes | None
    start: int | None
    end: int | None
    locator: str | None


class Quarantine(Sequence[RejectedRow]):
    """Every rejected row, table by table in source order. Rows are made when they are looked at."""

    def __init__(self, rejected: Mapping[str, pa.Table]) -> None:
        """From the rejections of each table, with their place in the source."""
        parts = [_in_source_order(part).add_column(0, TABLE, _named(table, part)) for table, part in rejected.items()]
        self._rows = pa.concat_tables([SCHEMA.empty_table(), *(part.cast(SCHEMA) for part in parts)])

    def to_arrow(self) -> pa.Table:
        """The same rows as one table: `table`, code, column, message, errors, values (JSON), raw, start, end, …."""
        return self._rows

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def __iter__(self) -> Iterator[RejectedRow]:
        for batch in self._rows.to_batches(max_chunksize=1024):
            yield from _made(batch)

    @overload
    def __getitem__(self, index: int) -> RejectedRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[RejectedRow]: ...
    def __getitem__(self, index: int | slice) -> RejectedRow | list[RejectedRow]:
        if isinstance(index, slice):
            return _made(self._rows.take(pa.array(range(len(self))[index], pa.int64())))
        at = range(len(self))[index]
        return _made(self._rows.slice(at, 1))[0]

    def __repr__(self) -> str:
        counted = pc.value_counts(self._rows["code"].combine_chunks()).to_pylist()
        listed = ", ".join(f"{each['counts']} {safe_text(each['values'])}" for each in counted)
        return f"<Quarantine of {len(self)} rows{': ' if listed else ''}{listed}>"


def _in_source_order(rejected: pa.Table) -> pa.Table:
    places = rejected[SOURCE_ROW].to_numpy()
    if (places[1:] >= places[:-1]).all():
        return rejected
    return rejected.take(pc.sort_indices(rejected, [(SOURCE_ROW, "ascending")]))


def _named(table: str, rejected: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(table, pa.string()), rejected.num_rows)


def _made(rows: pa.Table | pa.RecordBatch) -> list[RejectedRow]:
    return [
        RejectedRow(
            table=row[TABLE],
            row=row[SOURCE_ROW],
            code=row["code"],
            column=row["column"],
            message=row["message"],
            faults=tuple(Fault(**error) for error in row["errors"]),
            values=None if row["values"] is None else json.loads(row["values"]),
            raw=row["raw"],
            start=row["start"],
            end=row["end"],
            locator=row["locator"],
        )
        for row in rows.to_pylist()
    ]
