"""Columns cast to their contract types: what does not fit is masked, never changed."""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.cells import Cells, Mask, Reading, as_mask, nothing
from casparian_flow.schema.readers import read_text
from casparian_flow.schema.rendering import as_text, json_text
from casparian_flow.schema.tagged import read_tagged

_EXACT_FLOATS = 1 << 53
_WIDE = Context(prec=80)
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
    if kind.name == "json" and tagged:
        return json_text(array), None
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
        return _cast_number(array, kind, target)
    return _fail_all(array, target)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def _cast_number(array: pa.Array, kind: ColumnType, target: pa.DataType) -> Reading:
    """Arrow's own cast where it is known to be exact, else number by number."""
    if pt.is_floating(array.type) or pt.is_floating(target):
        is_exact = (pt.is_integer(target) or pt.is_integer(array.type)) and _is_near(array)
    elif pt.is_decimal(target) and pt.is_decimal(array.type):
        is_exact = array.type.precision - array.type.scale <= target.precision - target.scale
    else:
        is_exact = True
    if is_exact:
        try:
            return Reading(array.cast(target))
        except pa.ArrowInvalid:
            pass  # at least one number would change; which ones is found below
    numbers = [_exact(value, kind) for value in array.to_pylist()]
    values = pa.array(numbers, target)
    failed = as_mask(pc.and_(array.is_valid(), values.is_null()))
    return Reading(values, failed) if failed.any() else Reading(values)


def _exact(value: float | Decimal | None, kind: ColumnType) -> int | float | Decimal | None:
    """The number in another type, None if it would change.

    A float is the number that its shortest text says; where that and its exact value can differ, it is no int64.
    """
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value or 0)
    if value is None or not number.is_finite():
        return None
    if kind.name == "float64":
        return float(number) if Decimal(repr(float(number))) == number else None
    precision, scale = (19, 0) if kind.name == "int64" else (int(kind.args[0]), int(kind.args[1]))
    if kind.name == "int64" and isinstance(value, float) and abs(value) > _EXACT_FLOATS:
        return None
    digits = number.as_tuple()
    exponent = int(digits.exponent)
    if number and number.adjusted() >= precision - scale:
        return None
    if -exponent > scale and any(digits.digits[exponent + scale :]):
        return None
    if kind.name == "int64":
        return int(number) if -(2**63) <= int(number) < 2**63 else None
    return number.quantize(Decimal(1).scaleb(-scale), context=_WIDE)


def _is_near(array: pa.Array) -> bool:
    """Whether every number is so near to zero that a float holds all whole numbers around it."""
    extremes = pc.min_max(array)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    return bool(-_EXACT_FLOATS <= low <= high <= _EXACT_FLOATS)


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
