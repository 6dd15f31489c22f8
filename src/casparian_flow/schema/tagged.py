"""Cells that carry one JSON value each, tagged by their first character (`sdk.emit.FIELD_ENCODING`)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.types import ColumnType
from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.cells import Cells, Mask, Reading, nothing
from casparian_flow.schema.readers import read_nested, read_text

_QUOTE = ord('"')
_FROM_TEXT = frozenset({"string", "date", "time", "timestamp", "timestamp_tz", "binary"})
_FROM_NUMBERS = frozenset({"boolean", "int64", "float64", "decimal"})


def are_strings(cells: Cells) -> Mask:
    """Which cells are JSON strings."""
    strings: Mask = cells.byte(0) == _QUOTE
    return strings


def payload(cells: Cells) -> Cells:
    """The strings themselves, of cells that are all JSON strings."""
    return Cells(pc.utf8_slice_codeunits(cells.array, 1))


def read_tagged(cells: Cells, kind: ColumnType, pattern: str | None = None) -> Reading:
    """The cells as a type: strings read as text types, numbers and booleans as theirs."""
    strings = are_strings(cells)
    if kind.name in _FROM_TEXT:
        wanted = strings
    elif kind.name in _FROM_NUMBERS or kind.name in ("list", "struct"):
        wanted = ~strings
    else:
        return nothing(len(cells), arrow_type(str(kind)))
    if not wanted.any():
        return nothing(len(cells), arrow_type(str(kind)))
    part = cells if wanted.all() else cells.where(wanted)
    if kind.name in _FROM_TEXT:
        found = read_text(payload(part), kind, pattern)
    elif kind.name in _FROM_NUMBERS:
        found = read_text(part, kind)
    else:
        found = read_nested(part, kind)
    if wanted.all():
        return found
    failed = ~wanted
    if found.failed is not None:
        failed[wanted] = found.failed
    at = np.cumsum(wanted) - 1
    return Reading(found.values.take(pa.array(at, mask=~wanted)), failed)
