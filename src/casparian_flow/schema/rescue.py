"""Values that no column of the contract holds, kept beside their row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from casparian_flow.core.lineage import RESCUED
from casparian_flow.schema.cells import as_mask
from casparian_flow.schema.rendering import as_text

_ENTRY = pa.struct([("column", pa.string()), ("raw", pa.string()), ("code", pa.string())])
RESCUED_FIELD = pa.field(RESCUED, pa.list_(_ENTRY), nullable=True)


class Rescue(NamedTuple):
    """Values of one column that are kept aside: one for each row of a batch, null where there is nothing to keep.

    `code` says why; `is_tagged` says that the text is JSON.
    """

    column: str
    values: pa.Array
    code: str
    is_tagged: bool = False


def rescue(kept: Sequence[Rescue], rows: int) -> pa.Array:
    """The `_cf_rescued` column of `rows` rows.

    Entries of a row are in the order given; null values are not kept, and a row without any is null.
    """
    owners, parts = [], []
    for each in kept:
        at = np.flatnonzero(as_mask(each.values.is_valid()))
        raw = as_text(each.values.take(pa.array(at)), tagged=each.is_tagged)
        names, codes = (pa.repeat(pa.scalar(text, pa.string()), len(at)) for text in (each.column, each.code))
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
