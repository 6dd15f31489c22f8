"""Text that `csv_text` wrote, turned back into the values that it was written from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.sinks.csv_text import text_data, text_offsets

_COUNT = r"^-?\d+$"


def values_of(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values that `csv_text.text_of` rendered; raises ValueError, as Arrow's errors are, for any other text."""
    if pt.is_string(kind):
        return texts
    if pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind):
        return texts.cast(kind)
    if pt.is_date(kind):
        return _either(texts, kind, pa.int32(), _dates)
    if pt.is_time(kind):
        return _either(texts, kind, pa.int64(), _times)
    if pt.is_timestamp(kind):
        return _either(texts, kind, pa.int64(), _timestamps)
    if pt.is_duration(kind):
        return texts.cast(pa.int64()).view(kind)
    if pt.is_binary(kind):
        return _bytes(texts)
    if pt.is_list(kind) or pt.is_struct(kind):
        return _from_json(texts, kind)
    raise InvariantBroken(f"a CSV file says that it holds Arrow's {kind}")


def _either(
    texts: pa.Array, kind: pa.DataType, storage: pa.DataType, read: Callable[[pa.Array, pa.DataType], pa.Array]
) -> pa.Array:
    """Values of which some were written as counts."""
    is_count = pc.match_substring_regex(texts, _COUNT)
    if not pc.any(is_count).as_py():
        return read(texts, kind)
    counts = pc.if_else(is_count, texts, None).cast(storage).view(kind)
    return pc.coalesce(counts, read(pc.if_else(is_count, None, texts), kind))


def _dates(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    return texts.cast(kind)


def _times(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Arrow reads no times of day, but instants."""
    instants = pc.binary_join_element_wise("1970-01-01", texts, " ").cast(pa.timestamp("ns"))
    return instants.view(pa.int64()).view(kind)


def _timestamps(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    return texts.cast(pa.timestamp(kind.unit, None if kind.tz is None else "UTC")).cast(kind)


def _bytes(texts: pa.Array) -> pa.Array:
    offsets = text_offsets(texts)
    data = bytes.fromhex(bytes(text_data(texts)).decode())
    places = (offsets - offsets[0]) // np.int32(2)
    found = pa.Array.from_buffers(pa.binary(), len(texts), [None, pa.py_buffer(places), pa.py_buffer(data)])
    return pc.if_else(texts.is_valid(), found, None)


def _from_json(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """JSON is read with its names and numbers; other types arrive as their text and are turned back after that."""
    whole = "[" + ",".join("null" if text is None else text for text in texts.to_pylist()) + "]"
    rows: list[Any] = msgspec.json.decode(whole)
    if _has_floats(kind):
        rows = [_with_floats(row, kind) for row in rows]
    return _typed(pa.array(rows, _raw(kind)), kind)


def _has_floats(kind: pa.DataType) -> bool:
    if pt.is_list(kind):
        return _has_floats(kind.value_type)
    return any(_has_floats(field.type) for field in kind) if pt.is_struct(kind) else bool(pt.is_floating(kind))


def _with_floats(value: Any, kind: pa.DataType) -> Any:
    """The same value with the floats that JSON has no number for."""
    if value is None:
        return None
    if pt.is_list(kind):
        return [_with_floats(member, kind.value_type) for member in value]
    if pt.is_struct(kind):
        return {field.name: _with_floats(value.get(field.name), field.type) for field in kind}
    return float(value) if pt.is_floating(kind) else value


def _raw(kind: pa.DataType) -> pa.DataType:
    if pt.is_list(kind):
        return pa.list_(_raw(kind.value_type))
    if pt.is_struct(kind):
        return pa.struct([(field.name, _raw(field.type)) for field in kind])
    if pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_floating(kind):
        return kind
    return pa.int64() if pt.is_duration(kind) else pa.string()


def _typed(raw: pa.Array, kind: pa.DataType) -> pa.Array:
    if pt.is_list(kind):
        return pa.ListArray.from_arrays(raw.offsets, _typed(raw.values, kind.value_type), type=kind, mask=raw.is_null())
    if pt.is_struct(kind):
        if not kind.num_fields:
            return raw
        members = [_typed(member, field.type) for member, field in zip(raw.flatten(), kind, strict=True)]
        return pa.StructArray.from_arrays(members, fields=list(kind), mask=raw.is_null())
    if pt.is_duration(kind):
        return raw.view(kind)
    return raw if raw.type == kind else values_of(raw, kind)
