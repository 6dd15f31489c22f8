"""Values that no column of the contract holds, kept beside their row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from casparian_flow.core.lineage import RESCUED
from casparian_flow.core.quarantine import Code
from casparian_flow.schema.cells import as_mask
from casparian_flow.schema.rendering import as_text

_ENTRY = pa.struct([("column", pa.string()), ("raw", pa.string()), ("code", pa.string())])
RESCUED_FIELD = pa.field(RESCUED, pa.list_(_ENTRY), nullable=True)


def rescue(extra: Sequence[tuple[str, pa.Array, bool]], rows: int) -> pa.Array:
    """The `_cf_rescued` column of `rows` rows from unexpected columns, given as (name, values, whether tagged).

    Entries of a row are in the order of the columns; null values are not kept, and a row without any is null.
    """
    owners, parts = [], []
    for name, column, tagged in extra:
        at = np.flatnonzero(as_mask(column.is_valid()))
        raw = as_text(column.take(pa.array(at)), tagged=tagged)
        names = pa.repeat(pa.scalar(name, pa.string()), len(at))
        codes = pa.repeat(pa.scalar(str(Code.NEW_COLUMN), pa.string()), len(at))
        parts.append(pa.StructArray.from_arrays([names, raw, codes], fields=list(_ENTRY)))
        owners.append(at)
    row_of = np.concatenate(owners) if owners else np.zeros(0, np.int64)
    if not len(row_of):
        return pa.nulls(rows, RESCUED_FIELD.type)
    order = np.argsort(row_of, kind="stable")
    entries = pa.concat_arrays(parts).take(pa.array(order))
    offsets = np.searchsorted(row_of[order], np.arange(rows + 1)).astype(np.int32)
    empty = np.diff(offsets) == 0
    return pa.ListArray.from_arrays(pa.array(offsets), entries, type=RESCUED_FIELD.type, mask=pa.array(empty))
