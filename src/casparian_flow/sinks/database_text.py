"""Dates, times, decimals and bytes as text that people can read and compare, and back without loss."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_TRAILING_ZEROS = r"(\.[0-9]*?)0+(Z?)$"
_BARE_POINT = r"\.(Z?)$"
_ANY_DAY = "1970-01-01 "


def to_text(array: pa.Array) -> pa.Array:
    """One text per value, null where null. Times in a zone are told in UTC, with a Z; bytes are hexadecimal."""
    kind = array.type
    if pt.is_timestamp(kind) or pt.is_time(kind):
        instants = array.cast(pa.timestamp(kind.unit, "UTC")) if pt.is_timestamp(kind) and kind.tz else array
        trimmed = pc.replace_substring_regex(instants.cast(pa.string()), _TRAILING_ZEROS, r"\1\2")
        return pc.replace_substring_regex(trimmed, _BARE_POINT, r"\1")
    if pt.is_date(kind):
        return _date_text(array)
    if pt.is_binary(kind):
        return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())
    if pt.is_decimal(kind):
        return _decimal_text(array)
    return array.cast(pa.string())


def from_text(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values that `to_text` made these of; raises pa.ArrowInvalid or ValueError for other text."""
    if pt.is_time(kind):
        instants = pc.binary_join_element_wise(_ANY_DAY, texts, "").cast(pa.timestamp("ns"))
        return instants.cast(pa.int64()).cast(kind)
    if pt.is_binary(kind):
        return pa.array([None if value is None else bytes.fromhex(value) for value in texts.to_pylist()], kind)
    if pt.is_timestamp(kind) or pt.is_date(kind):
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:  # before the year 0, after 9999, or the very first nanosecond
            return _from_wide_text(texts, kind)
    return texts.cast(kind)


def _decimal_text(array: pa.Array) -> pa.Array:
    """Decimals without an exponent, which Arrow writes for very small ones."""
    texts = array.cast(pa.string())
    if not pc.any(pc.match_substring(texts, "E")).as_py():
        return texts
    return pa.array([None if value is None else f"{value:f}" for value in array.to_pylist()], pa.string())


def _date_text(array: pa.Array) -> pa.Array:
    texts = array.cast(pa.string())
    if not pc.any(pc.starts_with(texts, "<")).as_py():
        return texts
    days = pc.fill_null(array.cast(pa.int32()), 0).to_numpy(zero_copy_only=False)
    wide = pa.array(np.datetime_as_string(days.astype("datetime64[D]")), pa.string())
    return pc.if_else(array.is_valid(), wide, None)


def _from_wide_text(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    unit = kind.unit if pt.is_timestamp(kind) else "D"
    plain = pc.fill_null(pc.replace_substring(texts, "Z", ""), "1970-01-01")
    numbers = pa.array(np.array(plain.to_pylist(), f"datetime64[{unit}]").astype(np.int64))
    whole = numbers.cast(pa.int32()) if pt.is_date(kind) else numbers
    return pc.if_else(texts.is_valid(), whole.cast(kind), None)
