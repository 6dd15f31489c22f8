"""Columns as CSV cells: text that `csv_values` turns back into exactly the same values.

boolean         true, false
int64           12
float64         1.5 5.0 1e+20 -0.0 nan inf -inf: the shortest text that is the same number
decimal         all digits of the scale, never an exponent
date            2024-02-29
time            23:59:59.5
timestamp       2024-02-29 23:59:59.5, with Z where the type has a zone: the instant in UTC
duration        a count of nanoseconds
string, json    the text itself, quoted
binary          two hexadecimal digits per byte, quoted
list, struct    JSON, quoted; inside it every other type is a string of the form above, NaN and Infinity are strings too

A date outside the years 0 to 9999, a time outside the day and a timestamp that its text could not bring back are the
bare count that Arrow holds: days, or the type's unit. Null is an empty cell without quotes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.errors import InvariantBroken

DELIMITER, LINE_END = ",", "\r\n"
DAY_NS = 86_400 * 10**9
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_YEAR_0, _YEAR_10000 = -62_167_219_200, 253_402_300_800
_TRAILING_ZEROS = r"\.?0+(Z?)$"
_NAMES_TO_QUOTE = frozenset('",\r\n')


def header_line(schema: pa.Schema) -> bytes:
    """The first record: the names of the columns."""
    return (DELIMITER.join(_name(name) for name in schema.names) + LINE_END).encode()


def records(batch: pa.RecordBatch) -> memoryview:
    """The rows as CSV records, each with its line end."""
    columns = [cells(column) for column in batch.columns]
    ended = pc.binary_join_element_wise(pc.fill_null(columns[-1], ""), LINE_END, "")
    lines = pc.binary_join_element_wise(*columns[:-1], ended, DELIMITER, null_handling="replace", null_replacement="")
    return text_data(lines)


def cells(array: pa.Array) -> pa.Array:
    """One cell per value, quotes included; null where null."""
    if pt.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(array.indices, cells(array.dictionary)).cast(pa.string())
    texts = text_of(array)
    if not _is_quoted(array.type):
        return texts
    return pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")


def text_of(array: pa.Array) -> pa.Array:
    """One text per value, null where null."""
    kind = array.type
    if pt.is_string(kind):
        return array
    if pt.is_boolean(kind) or pt.is_integer(kind):
        return array.cast(pa.string())
    if pt.is_floating(kind):
        return pc.replace_substring_regex(array.cast(pa.string()), r"^(-?\d+)$", r"\1.0")
    if pt.is_decimal(kind):
        return _decimals(array)
    if pt.is_date(kind) or pt.is_time(kind) or pt.is_timestamp(kind):
        return _times(array)
    if pt.is_duration(kind):
        return array.cast(pa.int64()).cast(pa.string())
    if pt.is_binary(kind):
        return _hex(array)
    if pt.is_list(kind) or pt.is_struct(kind):
        return pc.if_else(array.is_valid(), json_of(array), None)
    raise InvariantBroken(f"a column of Arrow's {kind} reached a sink")


def json_of(array: pa.Array) -> pa.Array:
    """One JSON text per value, `null` where null."""
    kind = array.type
    if pt.is_list(kind):
        texts = _json_lists(array)
    elif pt.is_struct(kind):
        texts = _json_structs(array)
    elif pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_duration(kind):
        texts = text_of(array)
    elif pt.is_floating(kind):
        names = pc.case_when(
            pc.make_struct(pc.is_nan(array), pc.equal(array, float("inf")), pc.equal(array, float("-inf"))),
            '"NaN"',
            '"Infinity"',
            '"-Infinity"',
        )
        texts = pc.coalesce(names, text_of(array))
    else:
        texts = pc.binary_join_element_wise('"', _escaped(text_of(array)), '"', "")
    return pc.fill_null(texts, "null")


def text_data(texts: pa.Array) -> memoryview:
    """The characters of all texts, one after the other, without a copy."""
    data = texts.buffers()[2]
    offsets = text_offsets(texts)
    return memoryview(b"") if data is None else memoryview(data)[offsets[0] : offsets[-1]]


def text_offsets(texts: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Where each text starts within the buffer, and where the last one ends."""
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def time_limits(kind: pa.DataType) -> tuple[int, int]:
    """The counts, from and before, whose text can be read back."""
    if pt.is_date(kind):
        return _YEAR_0 // 86_400, _YEAR_10000 // 86_400
    if pt.is_time(kind):
        return 0, DAY_NS
    unit = _UNITS[kind.unit]
    smallest = -(2**63 // unit) * unit  # Arrow cannot read the part of a second before it
    return max(_YEAR_0 * unit, smallest), min(_YEAR_10000 * unit, 2**63)


def _name(name: str) -> str:
    if name and not _NAMES_TO_QUOTE & set(name):
        return name
    return '"' + name.replace('"', '""') + '"'


def _is_quoted(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_binary(kind) or pt.is_nested(kind))


def _decimals(array: pa.Array) -> pa.Array:
    """Arrow writes an exponent for very small ones, so the point is put in here."""
    scale = array.type.scale
    digits = array.view(pa.decimal128(38, 0)).cast(pa.string())
    if scale == 0:
        return digits
    padded = pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), scale + 1, "0")
    signs = pc.if_else(pc.starts_with(digits, "-"), "-", "")
    return pc.binary_join_element_wise(
        signs, pc.replace_substring_regex(padded, rf"^(\d+)(\d{{{scale}}})$", r"\1.\2"), ""
    )


def _times(array: pa.Array) -> pa.Array:
    counts = array.view(pa.int32() if pt.is_date(array.type) else pa.int64())
    low, end = time_limits(array.type)
    is_ordinary = pc.and_(pc.greater_equal(counts, low), pc.less_equal(counts, end - 1))
    if pc.all(is_ordinary).as_py() is not False:
        return _iso(array)
    return pc.if_else(is_ordinary, _iso(pc.if_else(is_ordinary, array, None)), counts.cast(pa.string()))


def _iso(array: pa.Array) -> pa.Array:
    kind = array.type
    if pt.is_date(kind):
        return array.cast(pa.string())
    instants = array.cast(pa.timestamp(kind.unit, "UTC")) if pt.is_timestamp(kind) and kind.tz else array
    return pc.replace_substring_regex(instants.cast(pa.string()), _TRAILING_ZEROS, r"\1")


def _hex(array: pa.Array) -> pa.Array:
    offsets = text_offsets(array)
    data = bytes(text_data(array)).hex().encode()
    places = (offsets - offsets[0]) * np.int32(2)
    texts = pa.Array.from_buffers(pa.string(), len(array), [None, pa.py_buffer(places), pa.py_buffer(data)])
    return pc.if_else(array.is_valid(), texts, None)


def _json_lists(array: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int32))).astype(np.int32)
    members = pa.ListArray.from_arrays(pa.array(offsets), json_of(array.flatten()))
    texts = pc.binary_join_element_wise("[", pc.binary_join(members, ","), "]", "")
    return pc.if_else(array.is_valid(), texts, None)


def _json_structs(array: pa.Array) -> pa.Array:
    names = _escaped(pa.array([field.name for field in array.type], pa.string())).to_pylist()
    pieces: list[pa.Array | str] = []
    for name, member in zip(names, array.flatten(), strict=True):
        pieces += [f'{"," if pieces else "{"}"{name}":', json_of(member)]
    texts = pc.binary_join_element_wise(*pieces, "}", "") if pieces else pa.array(["{}"] * len(array), pa.string())
    return pc.if_else(array.is_valid(), texts, None)


def _escaped(texts: pa.Array) -> pa.Array:
    """The texts as they stand between the quotes of a JSON string."""
    texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    if pc.any(pc.match_substring_regex(texts, r"[\x00-\x1f]")).as_py():
        for code in range(0x20):
            texts = pc.replace_substring(texts, chr(code), f"\\u{code:04x}")
    return texts
