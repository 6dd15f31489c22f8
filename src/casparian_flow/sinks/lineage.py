"""The six columns by which every row says where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.lineage import (
    FILE_VERSION_ID,
    JOB_ID,
    LINEAGE_COLUMNS,
    PARSER_VERSION,
    PROCESSED_AT,
    SOURCE_HASH,
    SOURCE_ROW,
)

_TYPES = {
    JOB_ID: pa.int64(),
    FILE_VERSION_ID: pa.int64(),
    SOURCE_HASH: pa.string(),
    SOURCE_ROW: pa.int64(),
    PARSER_VERSION: pa.string(),
    PROCESSED_AT: pa.timestamp("us", "UTC"),
}
LINEAGE_FIELDS = tuple(pa.field(name, _TYPES[name], nullable=False) for name in LINEAGE_COLUMNS)
"""What readers find."""

_STAMPED_FIELDS = tuple(
    field if field.name == SOURCE_ROW else field.with_type(pa.dictionary(pa.int8(), field.type))
    for field in LINEAGE_FIELDS
)
"""What sinks are given: what all rows of a job have in common, as dictionaries of one value for each job."""

MOST_JOBS = 127
"""Jobs whose rows may be stamped together."""

_CHUNK = 131_072
_ZEROS = pa.Array.from_buffers(pa.int8(), _CHUNK, [None, pa.py_buffer(np.zeros(_CHUNK, np.int8))])
"""The one value's index, shared by every constant of every job."""


@lru_cache(maxsize=1024)
def stamped_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of stamped batches: the same columns, then the lineage columns."""
    return pa.schema([*schema, *_STAMPED_FIELDS])


@dataclass(frozen=True)
class Lineage:
    """What all rows of one job have in common."""

    job: int
    file_version: int
    source_hash: str
    parser_version: str
    processed_at_ns: int

    def stamp(self, batch: pa.RecordBatch, source_row: pa.Array) -> pa.RecordBatch:
        """The batch with the lineage columns behind its own. `source_row` gives each row's position in the source."""
        return self._stamp.put(batch, source_row, [(0, batch.num_rows)])

    @cached_property
    def _stamp(self) -> Stamp:
        return Stamp([self])


class Stamp:
    """The lineage columns of rows that several jobs bring together: dictionaries of as many values as they have."""

    def __init__(self, jobs: Sequence[Lineage]) -> None:
        """Raises InvariantBroken for more jobs than an index tells apart."""
        if not 0 < len(jobs) <= MOST_JOBS:
            raise InvariantBroken(f"the rows of {len(jobs)} jobs cannot be stamped together")
        columns: dict[str, list[int | str]] = {
            JOB_ID: [each.job for each in jobs],
            FILE_VERSION_ID: [each.file_version for each in jobs],
            SOURCE_HASH: [each.source_hash for each in jobs],
            PARSER_VERSION: [each.parser_version for each in jobs],
            PROCESSED_AT: [each.processed_at_ns // 1000 for each in jobs],
        }
        self._columns = {name: _Constants.of(values, _TYPES[name]) for name, values in columns.items()}

    def put(self, batch: pa.RecordBatch, source_row: pa.Array, runs: Sequence[tuple[int, int]]) -> pa.RecordBatch:
        """The batch with the lineage columns behind its own.

        `source_row` gives each row's position in its source; `runs` say, in order, which job so many rows are of.
        """
        if len(source_row) != batch.num_rows or source_row.type != pa.int64() or source_row.null_count:
            raise InvariantBroken(
                "each row needs its position in the source",
                why=f"{batch.num_rows} rows, {len(source_row)} positions of type {source_row.type}",
            )
        members = np.repeat(np.array([job for job, _ in runs], np.int8), [rows for _, rows in runs])
        columns = [
            source_row if name == SOURCE_ROW else self._columns[name].of_rows(members) for name in LINEAGE_COLUMNS
        ]
        return pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=stamped_schema(batch.schema))


@dataclass(frozen=True, slots=True)
class _Constants:
    """One lineage column: the distinct values, and which of them each job has."""

    values: pa.Array
    place: npt.NDArray[np.int8]

    @classmethod
    def of(cls, values: Sequence[int | str], kind: pa.DataType) -> _Constants:
        places = {value: at for at, value in enumerate(dict.fromkeys(values))}
        return cls(pa.array(list(places), kind), np.array([places[value] for value in values], np.int8))

    def of_rows(self, members: npt.NDArray[np.int8]) -> pa.DictionaryArray:
        rows = len(members)
        is_one = len(self.values) == 1 and rows <= _CHUNK
        indices = _ZEROS.slice(0, rows) if is_one else pa.array(self.place[members])
        return pa.DictionaryArray.from_arrays(indices, self.values, safe=False)
