"""Text read as dates and times through fixed layouts; nothing out of range is wrapped, no second is invented."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from casparian_flow.schema.cells import Bytes, Cells, Ints, Mask, Reading, reading
from casparian_flow.schema.layouts import Layout, layouts

_LONGEST = 48
_FRACTION = 9
_TO_DAY, _TO_MINUTE = len("2020-12-31"), len("2020-12-31T23:59")
_SECOND = 1_000_000_000
_LAST_SECOND = (2**63 - 1) // _SECOND - 1
"""Seconds from 1970 that nanoseconds in 64 bits can hold, in both directions."""
_MONTHS = np.frombuffer(b"janfebmaraprmayjunjulaugsepoctnovdec", np.uint8).reshape(12, 3)
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.uint8)
_ZERO = np.uint8(ord("0"))
_Small = npt.NDArray[np.int32]


def read_temporal(cells: Cells, type_name: str, pattern: str | None, kind: pa.DataType) -> Reading:
    """Cells as `date`, `time`, `timestamp` or `timestamp_tz`, by the pattern or by the ISO forms."""
    if pattern is None and _is_left_to_arrow(cells, type_name):
        try:
            return Reading(cells.array.cast(kind))
        except pa.ArrowInvalid:
            pass  # some cell does not fit; the layouts say which
    count = len(cells)
    values = np.zeros(count, np.int64)
    failed = np.ones(count, np.bool_)
    forms = layouts(type_name, pattern)
    for rows, length, zone in _groups(cells, takes_zone=forms[0].takes_zone):
        body = length - zone
        block: Bytes | None = None
        for form in forms:
            extra = body - form.length
            if extra and not (form.takes_fraction and 2 <= extra <= _FRACTION + 1):
                continue
            if block is None:
                block = cells.columns(rows, length)
            found, fits = _read_block(block, form, extra, zone, type_name)
            if rows is None:
                if fits.all():
                    return Reading(_as_array(found, kind))
                np.copyto(values, found, where=fits)
                failed &= ~fits
            else:
                at = rows[fits]
                values[at] = found[fits]
                failed[at] = False
    if kind == pa.date32():
        return reading(values.astype(np.int32), kind, failed)
    return reading(values, kind, failed)


def _is_left_to_arrow(cells: Cells, type_name: str) -> bool:
    """Whether Arrow, if it reads all cells, reads each as the ISO forms do.

    It also takes a day or an hour alone for a timestamp, and wraps years that nanoseconds cannot hold.
    """
    if type_name == "date":
        has_form = cells.shortest == cells.longest == _TO_DAY
    elif type_name == "time":
        return False
    else:
        has_form = cells.shortest >= _TO_MINUTE and bool((cells.byte(_TO_MINUTE - 3) == ord(":")).all())
    if not has_form:
        return False
    first, second = cells.byte(0), cells.byte(1)
    return bool((((first == ord("1")) & (second == ord("9"))) | ((first == ord("2")) & (second == ord("0")))).all())


def _as_array(values: Ints, kind: pa.DataType) -> pa.Array:
    narrow = values.astype(np.int32) if kind == pa.date32() else values
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(narrow)], 0)


def _groups(cells: Cells, *, takes_zone: bool) -> Iterator[tuple[Ints | None, int, int]]:
    """Cells of one length and one length of zone: their rows (None: all of them), the length, the zone's length."""
    if not len(cells) or cells.shortest > _LONGEST:
        return
    if not takes_zone and cells.shortest == cells.longest:
        yield None, cells.longest, 0
        return
    lengths = np.minimum(cells.lengths, _LONGEST + 1)
    zones = _zone_lengths(cells) if takes_zone else np.zeros(len(cells), np.int32)
    keys = lengths * 8 + zones
    for key in np.flatnonzero(np.bincount(keys)):
        length, zone = divmod(int(key), 8)
        if length > _LONGEST or (takes_zone and zone == 0):
            continue
        rows = np.flatnonzero(keys == key)
        whole = len(rows) == len(cells) and cells.shortest == cells.longest
        yield (None if whole else rows), length, zone


def _zone_lengths(cells: Cells) -> _Small:
    """How many bytes at each cell's end are a zone; 0 if none are."""
    sixth, fifth, third = cells.byte(-6), cells.byte(-5), cells.byte(-3)
    return np.select(
        [
            cells.byte(-1) == ord("Z"),
            _is_sign(sixth) & (third == ord(":")),
            _is_sign(fifth) & (third != ord(":")),
            _is_sign(third),
        ],
        [1, 6, 5, 3],
        0,
    ).astype(np.int32)


def _is_sign(bytes_: Bytes) -> Mask:
    signs: Mask = (bytes_ == ord("+")) | (bytes_ == ord("-"))
    return signs


def _two(block: Bytes, at: int, fits: Mask) -> Bytes:
    """Two digits at a place; where they are none, the row no longer fits."""
    tens, ones = block[at] - _ZERO, block[at + 1] - _ZERO
    fits &= (tens <= 9) & (ones <= 9)
    number: Bytes = tens * 10 + ones
    return number


def _read_block(block: Bytes, form: Layout, extra: int, zone: int, type_name: str) -> tuple[Ints, Mask]:
    """Days for dates, else nanoseconds, of a block of equally long cells, and which of them fit."""
    count = block.shape[1]
    fits = np.ones(count, np.bool_)
    for at, byte in form.literals:
        fits &= block[at] == byte
    if not fits.any():
        return np.zeros(count, np.int64), fits
    parts: dict[str, npt.NDArray[np.uint8]] = {}
    year: _Small | None = None
    for directive, at in form.places:
        if directive == "Y":
            year = _two(block, at, fits).astype(np.int32) * 100 + _two(block, at + 2, fits)
            fits &= year >= 1
        elif directive == "y":  # as POSIX has it: 69 to 99 are the last century
            short = _two(block, at, fits).astype(np.int32)
            year = short + np.where(short >= 69, 1900, 2000).astype(np.int32)
        elif directive == "b":
            parts["m"] = _month(block[at : at + 3])
        else:
            parts[directive] = _two(block, at, fits)
    days = _days(year, parts["m"], parts["d"], fits) if year is not None else None
    if type_name == "date":
        assert days is not None
        return days, fits
    seconds = _seconds(parts, fits)
    if days is not None:
        seconds += days * 86_400
    if zone:
        seconds -= _offset(block[form.length + extra :], zone, fits)
    fits &= (seconds > -_LAST_SECOND) & (seconds < _LAST_SECOND)
    seconds[~fits] = 0
    seconds *= _SECOND
    if extra:
        seconds += _fraction(block[form.length : form.length + extra], fits)
    return seconds, fits


def _month(letters: Bytes) -> Bytes:
    """1 to 12 for the English short names in any case, else 0."""
    lower = letters | 0x20
    months = np.zeros(letters.shape[1], np.uint8)
    for number, name in enumerate(_MONTHS, start=1):
        months[(lower == name[:, None]).all(axis=0)] = number
    return months


def _days(year: _Small, month: Bytes, day: Bytes, fits: Mask) -> Ints:
    """Days from 1970-01-01; a day that its month does not have does not fit."""
    fits &= (month >= 1) & (month <= 12)
    month = np.where(fits, month, 1).astype(np.uint8)
    leap = (year & 3 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    fits &= (day >= 1) & (day <= _DAYS[month] + (leap & (month == 2)))
    # counted from March, so that the leap day is the last one of its year
    shifted = year - (month <= 2)
    since_march = (month.astype(np.int32) + 9) % 12
    century = shifted // 100
    days = shifted * 365 + (shifted >> 2) - century + (century >> 2) + (since_march * 153 + 2) // 5 + day
    return days.astype(np.int64) - 719_469


def _seconds(parts: dict[str, Bytes], fits: Mask) -> Ints:
    fits &= parts["H"] <= 23
    seconds = parts["H"].astype(np.int64) * 3600
    if "M" in parts:
        fits &= parts["M"] <= 59
        seconds += parts["M"].astype(np.int32) * 60
    if "S" in parts:
        fits &= parts["S"] <= 59
        seconds += parts["S"]
    return seconds


def _fraction(block: Bytes, fits: Mask) -> Ints:
    """Nanoseconds of a point and one to nine digits."""
    fits &= block[0] == ord(".")
    digits = block[1:] - _ZERO
    fits &= (digits <= 9).all(axis=0)
    total = np.zeros(block.shape[1], np.int64)
    for digit in digits:
        total = total * 10 + digit
    total *= 10 ** (_FRACTION - len(digits))
    return total


def _offset(block: Bytes, zone: int, fits: Mask) -> Ints:
    """Seconds east of UTC."""
    if zone == 1:
        return np.zeros(block.shape[1], np.int64)
    hours = _two(block, 1, fits).astype(np.int64)
    minutes = _two(block, zone - 2, fits).astype(np.int64) if zone > 3 else np.zeros_like(hours)
    fits &= (hours <= 23) & (minutes <= 59)
    seconds = hours * 3600 + minutes * 60
    return np.where(block[0] == ord("-"), -seconds, seconds)
