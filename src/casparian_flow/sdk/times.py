"""Times of log lines, read for many lines at once; needs pyarrow and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from casparian_flow.sdk.lines import Bools, Int64s

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_OF = {
    sum(ord(char) << (8 * at) for at, char in enumerate(name)): number for number, name in enumerate(MONTHS, 1)
}
_MONTH_KEYS = np.array(sorted(_MONTH_OF), np.int64)
_MONTH_NUMBERS = np.array([_MONTH_OF[key] for key in _MONTH_KEYS.tolist()], np.int64)
NANOSECONDS = 1_000_000_000

Bytes = NDArray[np.uint8]


def fixed_width(texts: Any, width: int) -> Bytes:
    """The first bytes of each text as a matrix; shorter texts are filled up with NUL."""
    if texts.null_count:
        texts = texts.fill_null("")
    count = len(texts)
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + count + 1].astype(np.int64)
    buffer = texts.buffers()[2]
    data = np.frombuffer(buffer, np.uint8) if buffer is not None and buffer.size else np.zeros(1, np.uint8)
    at = offsets[:-1, None] + np.arange(width)
    inside = at < offsets[1:, None]
    return np.where(inside, data[np.minimum(at, len(data) - 1)], 0).astype(np.uint8)


def number(matrix: Bytes, first: int, digits: int) -> Int64s:
    """The number in some columns; a space counts as 0, and so does anything else that is no digit."""
    values = matrix[:, first : first + digits].astype(np.int64) - ord("0")
    values[(values < 0) | (values > 9)] = 0
    powers = 10 ** np.arange(digits - 1, -1, -1, dtype=np.int64)
    found: Int64s = values @ powers
    return found


def month(matrix: Bytes, first: int) -> Int64s:
    """The month named in three columns; 0 where none is."""
    keys = matrix[:, first : first + 3].astype(np.int64) @ np.array([1, 1 << 8, 1 << 16])
    at = np.minimum(np.searchsorted(_MONTH_KEYS, keys), len(_MONTH_KEYS) - 1)
    return np.where(_MONTH_KEYS[at] == keys, _MONTH_NUMBERS[at], 0)


def fraction(matrix: Bytes, first: int, digits: int = 9) -> Int64s:
    """Nanoseconds from digits after a point, as many as there are; what stands behind them is ignored."""
    columns = matrix[:, first : first + digits]
    is_digit = np.logical_and.accumulate((columns >= ord("0")) & (columns <= ord("9")), axis=1)
    values = np.where(is_digit, columns.astype(np.int64) - ord("0"), 0)
    found: Int64s = values @ (10 ** np.arange(8, 8 - digits, -1, dtype=np.int64))
    return found


def days(year: Int64s, month_number: Int64s, day: Int64s) -> tuple[Int64s, Bools]:
    """Days since 1970 and whether such a day exists."""
    safe = np.clip(month_number, 1, 12)
    months = (np.clip(year, 1678, 2261) - 1970) * 12 + safe - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    exists = (month_number >= 1) & (month_number <= 12) & (day >= 1) & (day <= length) & (year >= 1678) & (year < 2262)
    return first + day - 1, exists


def moments(day: Int64s, hour: Int64s, minute: Int64s, second: Int64s, nanos: Any = 0) -> tuple[Int64s, Bools]:
    """Nanoseconds since 1970 and whether the time of day exists; a leap second is the next second."""
    exists = (hour < 24) & (minute < 60) & (second <= 60)
    return (day * 86400 + hour * 3600 + minute * 60 + second) * NANOSECONDS + nanos, exists


def timestamps(nanoseconds: Int64s, exists: Bools, zone: str | None = None) -> Any:
    """A timestamp column, null where the time does not exist."""
    return pa.array(nanoseconds, pa.int64(), mask=~exists).cast(pa.timestamp("ns", zone))
