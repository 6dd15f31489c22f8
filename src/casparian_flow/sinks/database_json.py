"""Lists and structs as JSON text, and back without loss.

What JSON has no word for inside them is text: dates and times, decimals, bytes (hexadecimal), NaN and the infinities.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.sinks.database_text import from_text, to_text

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(array: pa.Array) -> pa.Array:
    """One JSON text per list or struct, null where null."""
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.string())
    values = _each_leaf(array, _to_leaf).to_pylist()
    encode = msgspec.json.Encoder().encode
    if _has_floats(array.type):
        values = [_spoken(value) for value in values]
    return pa.array([None if value is None else encode(value).decode() for value in values], pa.string())


def from_json(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values of type `kind` that `to_json` made these of; raises ValueError or pa.ArrowInvalid for other text."""
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), kind)
    decode = msgspec.json.Decoder().decode
    leaves = _leaf_types(kind)
    values = [None if text is None else decode(text) for text in texts.to_pylist()]
    if _has_floats(kind):
        values = [_heard(value, leaves) for value in values]
    return _restored(pa.array(values, leaves), kind)


def _spoken(value: Any) -> Any:
    """The value with NaN and infinities as text."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case list():
            return [_spoken(each) for each in value]
        case dict():
            return {name: _spoken(each) for name, each in value.items()}
        case _:
            return value


def _heard(value: Any, kind: pa.DataType) -> Any:
    """The value with the text of NaN and infinities as floats, where the type says so."""
    if value is None:
        return None
    if pt.is_floating(kind):
        return _SPECIAL[value] if isinstance(value, str) else float(value)
    if pt.is_list(kind):
        return [_heard(each, kind.value_type) for each in value]
    if pt.is_struct(kind):
        return {name: _heard(each, kind.field(name).type) for name, each in value.items()}
    return value


def _has_floats(kind: pa.DataType) -> bool:
    if pt.is_list(kind):
        return _has_floats(kind.value_type)
    if pt.is_struct(kind):
        return any(_has_floats(kind[at].type) for at in range(kind.num_fields))
    return bool(pt.is_floating(kind))


def _is_spoken(kind: pa.DataType) -> bool:
    """Whether JSON has a word for such values."""
    return bool(pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_floating(kind) or pt.is_string(kind))


def _leaf_types(kind: pa.DataType) -> pa.DataType:
    if pt.is_list(kind):
        return pa.list_(_leaf_types(kind.value_type))
    if pt.is_struct(kind):
        return pa.struct([(kind[at].name, _leaf_types(kind[at].type)) for at in range(kind.num_fields)])
    if pt.is_duration(kind):
        return pa.int64()
    return kind if _is_spoken(kind) else pa.string()


def _to_leaf(array: pa.Array) -> pa.Array:
    if pt.is_duration(array.type):
        return array.cast(pa.int64())
    return array if _is_spoken(array.type) else to_text(array)


def _each_leaf(array: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The same lists and structs around leaves that are changed."""
    if not pt.is_nested(array.type):
        return change(array)
    whole = array.take(pa.array(range(len(array)), pa.int64()))  # without the offset of a slice
    if pt.is_list(whole.type):
        return pa.ListArray.from_arrays(whole.offsets, _each_leaf(whole.values, change), mask=whole.is_null())
    children = [_each_leaf(child, change) for child in whole.flatten()]  # null where their struct is
    fields = [pa.field(whole.type[at].name, child.type) for at, child in enumerate(children)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=whole.is_null())


def _restored(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The lists and structs with leaves of their own types again."""
    if array.type == kind:
        return array
    if pt.is_list(kind):
        values = _restored(array.values, kind.value_type)
        return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=array.is_null())
    if pt.is_struct(kind):
        children = [_restored(child, kind[at].type) for at, child in enumerate(array.flatten())]
        fields = [kind[at] for at in range(kind.num_fields)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    if pt.is_string(array.type):
        return from_text(array, kind)
    return array.cast(kind)
