"""What dates and times look like as text: `strptime` patterns as places of bytes.

Every directive has a fixed width; `%S` also takes a fraction of one to nine digits where it ends the pattern or stands
before `%z`. `%z` ends a pattern: `Z`, `+02:00`, `+0200` or `+02`. ISO forms are the default of each type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from casparian_flow.core.errors import UsageError

WIDTHS = {"Y": 4, "y": 2, "m": 2, "b": 3, "d": 2, "H": 2, "M": 2, "S": 2}
ISO_DATE = "%Y-%m-%d"
ISO_TIMES = ("%H:%M:%S", "%H:%M")
ISO_TIMESTAMPS = tuple(f"{ISO_DATE}{between}{time}" for time in ISO_TIMES for between in "T ")
DATES = (ISO_DATE, "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y")


@dataclass(frozen=True, slots=True)
class Layout:
    """One pattern: where each directive stands, which bytes stand between, and what may follow."""

    places: tuple[tuple[str, int], ...]
    literals: tuple[tuple[int, int], ...]
    length: int
    takes_fraction: bool
    takes_zone: bool


@lru_cache(maxsize=256)
def layout(pattern: str) -> Layout:
    """The layout of a pattern; raises UsageError if it has a directive without a fixed width."""
    places: list[tuple[str, int]] = []
    literals: list[tuple[int, int]] = []
    at, length, takes_zone = 0, 0, False
    while at < len(pattern):
        directive = pattern[at + 1 : at + 2] if pattern[at] == "%" else ""
        if takes_zone:
            raise UsageError(f"%z must end the format {pattern!r}")
        if directive == "z":
            takes_zone = True
        elif directive in WIDTHS:
            places.append((directive, length))
            length += WIDTHS[directive]
        elif (pattern[at] == "%" and directive != "%") or not pattern[at].isascii():
            raise UsageError(
                f"format {pattern!r} cannot be read at {pattern[at : at + 2]!r}",
                fix="use " + " ".join(f"%{known}" for known in (*WIDTHS, "z", "%")),
            )
        else:
            literals.append((length, ord(pattern[at])))
            length += 1
        at += 2 if pattern[at] == "%" else 1
    takes_fraction = bool(places) and places[-1][0] == "S" and places[-1][1] + 2 == length
    return Layout(tuple(places), tuple(literals), length, takes_fraction, takes_zone)


@lru_cache(maxsize=256)
def layouts(type_name: str, pattern: str | None) -> tuple[Layout, ...]:
    """The layouts that a temporal type accepts: those of its ISO forms, or of the one pattern given."""
    if pattern is not None:
        found: tuple[Layout, ...] = (layout(pattern),)
    elif type_name == "date":
        found = (layout(ISO_DATE),)
    elif type_name == "time":
        found = tuple(map(layout, ISO_TIMES))
    else:
        suffix = "%z" if type_name == "timestamp_tz" else ""
        found = tuple(layout(known + suffix) for known in ISO_TIMESTAMPS)
    for one in found:
        _check(type_name, pattern, one)
    return found


def _check(type_name: str, pattern: str | None, one: Layout) -> None:
    """Raises UsageError unless the layout says all that the type needs, once, and nothing more."""
    given = [directive for directive, _ in one.places]
    day = [place for place in given if place in "Yymbd"]
    has_day = len(day) == 3 and "d" in day and ("m" in day or "b" in day) and ("Y" in day or "y" in day)
    has_time = "H" in given
    fits = {
        "date": has_day and len(given) == 3 and not one.takes_zone,
        "time": has_time and not day and not one.takes_zone,
        "timestamp": has_day and has_time and not one.takes_zone,
        "timestamp_tz": has_day and has_time and one.takes_zone,
    }[type_name]
    if not fits or len(set(given)) != len(given) or ("S" in given and "M" not in given):
        raise UsageError(f"format {pattern!r} does not describe a {type_name}")
