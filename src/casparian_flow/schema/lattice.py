"""The narrowest type that holds two."""

from __future__ import annotations

from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.column_survey import ColumnSurvey
from casparian_flow.schema.eliminate import Elimination
from casparian_flow.schema.verdict import MAX_DECIMAL, scale_digits, whole_digits

NUMBERS = frozenset({"int64", "decimal"})
"""Types of numbers among which one can hold every value of another."""


def holds(wide: str, narrow: str) -> bool:
    """Whether every text and every typed value that fits `narrow` fits `wide`, if both are read in the same format.

    It is about plain text and typed values: where a file brings JSON, its numbers are no strings.
    """
    if wide == narrow:
        return True
    large, small = parse_type(wide), parse_type(narrow)
    if large.name == "decimal" and small.name in NUMBERS:
        return whole_digits(large) >= whole_digits(small) and scale_digits(large) >= scale_digits(small)
    if large.name == "string":
        return small.name != "binary"
    return large.name == "json" and small.name in ("int64", "list", "struct")


def join(narrow: str, found: ColumnSurvey) -> str | None:
    """The narrowest type for a column of type `narrow` in which the values that were found fit, too.

    It need not hold every value of `narrow` (`holds` says whether it does), since no type holds both whole numbers of
    any size and numbers with an exponent. None where none takes them, or they fit as it is.
    """
    kind = parse_type(narrow)
    joined = _numbers(kind, found) or _text(kind, found)
    return None if joined is None or str(joined) == str(kind) else str(joined)


def _numbers(kind: ColumnType, found: ColumnSurvey) -> ColumnType | None:
    if kind.name not in NUMBERS or found.fixed:
        return None
    sizes = [(whole_digits(kind), scale_digits(kind))]
    are_floats = False
    for state in (found.plain, found.tagged):
        if state.cells:
            if state.words or not (state.is_open("decimal") or state.is_open("float64")):
                return None  # a word for null is text like any other, if told apart
            are_floats = are_floats or not state.is_open("decimal")
            sizes.append((state.whole, state.scale))
    for native in map(parse_type, found.native):
        if native.name == "float64":
            are_floats = True
        elif native.name in NUMBERS:
            sizes.append((whole_digits(native), scale_digits(native)))
        else:
            return None
    if are_floats:
        return ColumnType("float64") if all(map(_may_be_float, (found.plain, found.tagged))) else None
    whole, scale = max(each[0] for each in sizes), max(each[1] for each in sizes)
    return ColumnType("decimal", (whole + scale, scale)) if whole + scale <= MAX_DECIMAL else None


def _may_be_float(state: Elimination) -> bool:
    return not state.cells or state.is_open("float64")


def _text(kind: ColumnType, found: ColumnSurvey) -> ColumnType | None:
    """What takes anything: JSON where the values came as JSON, else text."""
    if kind.name == "binary" or "binary" in found.native or found.fixed:
        return None
    return ColumnType("json" if found.tagged.cells else "string")
