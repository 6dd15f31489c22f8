"""Times of syslog lines, with and without a year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from casparian_flow.sdk.lines import Bools, Int64s
from casparian_flow.sdk.times import NANOSECONDS, days, fixed_width, fraction, moments, month, number

_DAY_NS = 86400 * NANOSECONDS
_YEARS_BACK = 9  # the longest way from a 29 February to the one before, across 1900


@dataclass(frozen=True, slots=True)
class YearRule:
    """Which year a time without one belongs to: the latest of `years` (newest first) not after `limit_ns`."""

    years: tuple[int, ...]
    limit_ns: int
    description: str

    @classmethod
    def fixed(cls, year: int) -> YearRule:
        """Always the same year."""
        return cls((year,), np.iinfo(np.int64).max, f"{year}, as asked for")

    @classmethod
    def until(cls, changed_ns: int) -> YearRule:
        """The latest year that does not put a time more than a day after the file's last change."""
        changed = np.datetime64(changed_ns, "ns")
        year = int(changed.astype("datetime64[Y]").astype(np.int64)) + 1970
        return cls(tuple(range(year + 1, year - _YEARS_BACK, -1)), changed_ns + _DAY_NS, f"no time after {changed}")


def bsd_times(texts: Any, rule: YearRule) -> tuple[Int64s, Bools, Bools]:
    """`Jan 22 07:52:33`, also with a year behind the day or the time: nanoseconds, which exist, which lack a year."""
    chars = fixed_width(texts, 33)
    has_early = (chars[:, 6] == ord(" ")) & (chars[:, 11] == ord(" ")) & (chars[:, 9] != ord(":"))
    if has_early.any():  # move the year from behind the day to the end
        years = chars[has_early, 7:11]
        chars[has_early, 7:28] = chars[has_early, 12:33]
        chars[has_early, 28:] = 0
        chars[has_early, 29:33] = years
    month_number, day = month(chars, 0), number(chars, 4, 2)
    nanos = np.where((chars[:, 15] == ord(".")) | (chars[:, 15] == ord(",")), fraction(chars, 16), 0)
    written = np.where(has_early, number(chars, 29, 4), _year_at_end(texts, has_early))
    lacks_year = written == 0
    time = np.zeros(len(chars), np.int64)
    exists = np.zeros(len(chars), np.bool_)
    clock = number(chars, 7, 2), number(chars, 10, 2), number(chars, 13, 2)
    for year in (None, *rule.years):
        candidate = written if year is None else np.full(len(chars), year)
        date, is_date = days(candidate, month_number, day)
        moment, is_clock = moments(date, *clock, nanos)
        fits = is_date & is_clock & ~exists & (lacks_year == (year is not None))
        if year is not None:
            fits &= moment <= rule.limit_ns
        time[fits] = moment[fits]
        exists |= fits
        if exists.all():
            break
    return time, exists, lacks_year


def _year_at_end(texts: Any, has_early: Bools) -> Int64s:
    """The year behind the time, 0 where there is none."""
    years = np.zeros(len(texts), np.int64)
    for at, text in enumerate(texts.to_pylist()) if _has_long(texts) else ():
        if not has_early[at] and len(text) > 19 and text[-5] == " ":
            years[at] = int(text[-4:])
    return years


def _has_long(texts: Any) -> bool:
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bool((np.diff(offsets) > 19).any())


def iso_times(texts: Any, zones: Any) -> tuple[Int64s, Bools]:
    """`2024-01-02T03:04:05.678` with its zone (`Z`, `+02:00`, `+0200` or none), in UTC."""
    chars, zone = fixed_width(texts, 29), fixed_width(zones, 6)
    date, is_date = days(number(chars, 0, 4), number(chars, 5, 2), number(chars, 8, 2))
    nanos = np.where(chars[:, 19] == ord("."), fraction(chars, 20), 0)
    time, is_clock = moments(date, number(chars, 11, 2), number(chars, 14, 2), number(chars, 17, 2), nanos)
    minutes = np.where(zone[:, 3] == ord(":"), number(zone, 4, 2), number(zone, 3, 2))
    offset = (number(zone, 1, 2) * 60 + minutes) * np.where(zone[:, 0] == ord("-"), -1, 1)
    return time - offset * 60 * NANOSECONDS, is_date & is_clock
