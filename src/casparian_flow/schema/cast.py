"""Columns cast to their contract types: what does not fit is masked, never changed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.cells import Cells, Mask, Reading, as_mask, nothing
from casparian_flow.schema.readers import read_text
from casparian_flow.schema.rendering import as_text
from casparian_flow.schema.tagged import read_tagged

_EXACT_FLOATS = 1 << 53
_NUMBERS = frozenset({"int64", "float64", "decimal"})


def cast_column(array: pa.Array, column: ContractColumn, *, tagged: bool = False) -> tuple[pa.Array, Mask | None]:
    """The values in the column's type, and which failed (they are null); None when all fit. Nulls always fit.

    `array` is in a type of the contract language; `tagged` says that its text is JSON (`cf.encoding`). Casting
    accepts exactly the values that inference keeps the type for.
    """
    kind, target = parse_type(column.type), arrow_type(column.type)
    if pt.is_string(array.type):
        if array.null_count == len(array):
            return pa.nulls(len(array), target), None
        return _cast_text(array, kind, column.format, tagged=tagged)
    if array.type == target:
        return array, None
    found = _cast_native(array, kind, target)
    return found.values, found.failed


def _cast_text(array: pa.Array, kind: ColumnType, pattern: str | None, *, tagged: bool) -> tuple[pa.Array, Mask | None]:
    if kind.name == "string" and not tagged:
        return array, None
    dense = Cells(array.drop_null() if array.null_count else array)
    found = read_tagged(dense, kind, pattern) if tagged else read_text(dense, kind, pattern)
    return _spread(found, array)


def _spread(found: Reading, array: pa.Array) -> tuple[pa.Array, Mask | None]:
    """A reading of the non-null cells back among the nulls."""
    if not array.null_count:
        return found.values, found.failed
    valid = as_mask(array.is_valid())
    at = np.cumsum(valid) - 1
    values = found.values.take(pa.array(at, mask=~valid))
    if found.failed is None:
        return values, None
    failed = np.zeros(len(array), np.bool_)
    failed[valid] = found.failed
    return values, failed


def _cast_native(array: pa.Array, kind: ColumnType, target: pa.DataType) -> Reading:
    """A typed column in another type, where no value changes."""
    count = len(array)
    if array.null_count == count:
        return Reading(pa.nulls(count, target))
    if kind.name == "string" and not pt.is_binary(array.type):
        return Reading(as_text(array))
    if kind.name == "json":
        return Reading(_as_json(array))
    if pt.is_timestamp(array.type) and array.type.tz and kind.name == "timestamp_tz":
        return Reading(array.cast(target))
    if kind.name in _NUMBERS and _is_number(array.type):
        try:
            exact = array.cast(target)
            if pt.is_integer(array.type) and pt.is_floating(target) and not _fits_float(array):
                raise pa.ArrowInvalid("rounded")
        except pa.ArrowInvalid:
            exact = None  # some value would change: number by number below
        if exact is not None and not (pt.is_floating(array.type) or pt.is_decimal(array.type)):
            return Reading(exact)
        values, failed = _cast_text(_plain(as_text(array), array.type, kind), kind, None, tagged=False)
        return Reading(values, failed)
    return _fail_all(array, target)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def _fits_float(array: pa.Array) -> bool:
    """Whether every whole number is one that a float can hold, together with its neighbours."""
    extremes = pc.min_max(array)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    return bool(-_EXACT_FLOATS <= low <= high <= _EXACT_FLOATS)


def _plain(texts: pa.Array, source: pa.DataType, kind: ColumnType) -> pa.Array:
    """The text of numbers as the target's reader takes it: a whole number loses its point and zeros."""
    if kind.name == "int64" and (pt.is_floating(source) or pt.is_decimal(source)):
        return pc.replace_substring_regex(texts, r"\.0*$", "")
    return texts


def _as_json(array: pa.Array) -> pa.Array:
    texts = as_text(array)
    if pt.is_nested(array.type) or pt.is_boolean(array.type) or pt.is_integer(array.type):
        return texts
    if pt.is_floating(array.type) and as_mask(pc.fill_null(pc.is_finite(array), True)).all():
        return texts
    return pc.binary_join_element_wise('"', texts, '"', "")


def _fail_all(array: pa.Array, target: pa.DataType) -> Reading:
    if not array.null_count:
        return nothing(len(array), target)
    return Reading(pa.nulls(len(array), target), as_mask(array.is_valid()))
