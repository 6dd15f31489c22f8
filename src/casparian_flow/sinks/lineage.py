"""The six columns by which every row says where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
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
"""What sinks are given: constants as dictionaries of one value."""

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
        if len(source_row) != batch.num_rows or source_row.type != pa.int64() or source_row.null_count:
            raise InvariantBroken(
                "each row needs its position in the source",
                why=f"{batch.num_rows} rows, {len(source_row)} positions of type {source_row.type}",
            )
        rows = batch.num_rows
        columns = [
            source_row if name == SOURCE_ROW else _repeated(self._constants[name], rows) for name in LINEAGE_COLUMNS
        ]
        return pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=stamped_schema(batch.schema))

    @cached_property
    def _constants(self) -> dict[str, pa.Array]:
        values = {
            JOB_ID: self.job,
            FILE_VERSION_ID: self.file_version,
            SOURCE_HASH: self.source_hash,
            PARSER_VERSION: self.parser_version,
            PROCESSED_AT: self.processed_at_ns // 1000,
        }
        return {name: pa.array([value], _TYPES[name]) for name, value in values.items()}


def _repeated(dictionary: pa.Array, rows: int) -> pa.DictionaryArray:
    zeros = _ZEROS.slice(0, rows) if rows <= _CHUNK else pa.array(np.zeros(rows, np.int8))
    return pa.DictionaryArray.from_arrays(zeros, dictionary, safe=False)
