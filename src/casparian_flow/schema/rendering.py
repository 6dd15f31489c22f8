"""Any column as text, for columns that stay text and for the eyes of a person."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.schema.cells import as_mask

_TRAILING_ZEROS = r"(\.[0-9]*?)0+(Z?)$"
_ESCAPED = r'["\\\x00-\x1f]'
_BARE_POINT = r"\.(Z?)$"


def as_text(array: pa.Array, *, tagged: bool = False) -> pa.Array:
    """One text per value, null where null: ISO dates and times, shortest floats, hex bytes, JSON for nested values.

    Tagged cells become ordinary JSON. Everything but a float's or time's trailing zeros can be read back.
    """
    kind = array.type
    if tagged:
        return json_text(array)
    if pt.is_string(kind):
        return array
    if pt.is_timestamp(kind) or pt.is_time(kind):
        zoned = pt.is_timestamp(kind) and kind.tz is not None
        instants = array.cast(pa.timestamp(kind.unit, tz="UTC")) if zoned else array
        trimmed = pc.replace_substring_regex(instants.cast(pa.string()), _TRAILING_ZEROS, r"\1\2")
        return pc.replace_substring_regex(trimmed, _BARE_POINT, r"\1")
    if pt.is_duration(kind):
        return array.cast(pa.int64()).cast(pa.string())
    if pt.is_binary(kind) or pt.is_large_binary(kind):
        return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())
    if pt.is_nested(kind):
        return pa.array([_nested(value) for value in array.to_pylist()], pa.string())
    if pt.is_decimal(kind):
        return _plain_decimals(array)
    return array.cast(pa.string())


def _plain_decimals(array: pa.Array) -> pa.Array:
    """Decimals without an exponent, which Arrow writes for very small ones."""
    texts = array.cast(pa.string())
    if not pc.any(pc.match_substring(texts, "E")).as_py():
        return texts
    return pa.array([None if value is None else f"{value:f}" for value in array.to_pylist()], pa.string())


def json_text(array: pa.Array) -> pa.Array:
    """Tagged cells, nulls included, as ordinary JSON text."""
    strings = pc.fill_null(pc.starts_with(array, '"'), False)
    if not strings.true_count:
        return array
    quoted = _quoted(pc.utf8_slice_codeunits(array.filter(strings), 1))
    return pc.replace_with_mask(array, strings, quoted)


def _nested(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value, enc_hook=str).decode()


def json_values(array: pa.Array) -> pa.Array:
    """Any column as JSON, `null` where null.

    Booleans, whole numbers of any size and finite floats are JSON's own; decimals, times, bytes as hex, NaN and the
    infinities are text; lists and structs are JSON's own.
    """
    kind = array.type
    if pt.is_dictionary(kind):
        return json_values(array.dictionary_decode())
    if pt.is_boolean(kind) or pt.is_integer(kind) or (pt.is_decimal(kind) and kind.scale == 0) or pt.is_nested(kind):
        texts = as_text(array)
    elif pt.is_floating(kind):
        texts = pc.if_else(pc.is_finite(array), as_text(array), _quoted(as_text(array)))
    else:
        texts = _quoted(as_text(array))
    return pc.fill_null(texts, "null")


def _quoted(texts: pa.Array) -> pa.Array:
    """Texts as JSON strings; only those with something to escape are looked at one by one."""
    texts = texts.cast(pa.string())
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    special = as_mask(pc.fill_null(pc.match_substring_regex(texts, _ESCAPED), False))
    if special.any():
        encoded = [msgspec.json.encode(text).decode() for text in texts.filter(pa.array(special)).to_pylist()]
        quoted = pc.replace_with_mask(quoted, pa.array(special), pa.array(encoded, pa.string()))
    return quoted
