"""Text read as numbers: only what a number can give back unchanged is one.

A whole number is `0` or `-?[1-9][0-9]*` within int64: leading zeros, `+`, and `-0` (its sign would be lost) are not.
A float is a decimal number, with an exponent or not, whose nearest float is written back as a numerically equal
text. A decimal has no exponent. `.5` and `5.` are numbers; infinities, NaN, separators and blanks are text.
"""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.schema.cells import Cells, Mask, Reading, as_mask, matching, nothing, scatter

LONGEST = 64
"""Longer texts are never read as numbers, whatever they hold: work per cell stays bounded."""
_SAFE_LENGTH = 15  # up to 15 significant digits every float gives its decimal text back
_WHOLE_LIMIT = 19
_WHOLE = "^(?:0|-?[1-9][0-9]{0,18})$"
_PLAIN = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)$"
_NUMBER = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_ZERO, _MINUS, _PLUS, _DOT, _EXPONENT = (np.uint8(ord(sign)) for sign in "0-+.e")
_INT64 = pa.int64()
_FLOAT64 = pa.float64()
_WIDE = Context(prec=2 * LONGEST)


def has_canonical_start(cells: Cells) -> bool:
    """Whether no cell begins with `+` or with a zero before another digit, and none is empty or too long."""
    if cells.shortest < 1 or cells.longest > LONGEST:
        return False
    first, second = cells.byte(0), cells.byte(1)
    if (first == _PLUS).any():
        return False
    negative = first == _MINUS
    if negative.any():
        first, second = np.where(negative, second, first), np.where(negative, cells.byte(2), second)
    return not ((first == _ZERO) & (second - _ZERO <= 9)).any()


def read_int64(cells: Cells) -> Reading:
    """Whole numbers within int64."""
    count = len(cells)
    if cells.shortest >= 1 and cells.longest <= _WHOLE_LIMIT + 1 and _may_be_whole(cells):
        try:
            return Reading(cells.array.cast(_INT64))
        except pa.ArrowInvalid:
            pass  # some cell is not a number; the pattern below says which
    fits = matching(cells, _WHOLE)
    long = fits & (cells.lengths >= _WHOLE_LIMIT)
    if long.any():
        fits[long] = _within_int64(cells.where(long))
    if not fits.any():
        return nothing(count, _INT64)
    return scatter(cells.where(fits).array.cast(_INT64), fits)


def _may_be_whole(cells: Cells) -> bool:
    """Whether cells hold digits and minus signs only, and none begins with a zero that Arrow would pass over."""
    data = cells.data
    is_digit = (data - _ZERO) <= 9
    if is_digit.all():
        return not ((cells.byte(0) == _ZERO) & (cells.lengths > 1)).any()
    return bool((is_digit | (data == _MINUS)).all()) and has_canonical_start(cells) and not _minus_zero(cells)


def _minus_zero(cells: Cells) -> bool:
    return bool(((cells.lengths == 2) & (cells.byte(0) == _MINUS) & (cells.byte(1) == _ZERO)).any())


def _within_int64(cells: Cells) -> Mask:
    wide = cells.array.cast(pa.decimal128(20, 0))
    low, high = (pa.scalar(Decimal(bound), pa.decimal128(20, 0)) for bound in (-(2**63), 2**63 - 1))
    return as_mask(pc.and_(pc.greater_equal(wide, low), pc.less_equal(wide, high)))


def read_float64(cells: Cells) -> Reading:
    """Decimal numbers that a float holds exactly enough to write them back."""
    count = len(cells)
    values = None
    if has_canonical_start(cells):
        try:
            values = cells.array.cast(_FLOAT64)
        except pa.ArrowInvalid:
            values = None  # some cell is not a number; the pattern below says which
    if values is not None:
        exact = _are_exact(cells, values)
        if exact is None:
            return Reading(values)
        return scatter(values.filter(pa.array(exact)), exact)
    fits = matching(cells, _NUMBER) & (cells.lengths <= LONGEST)
    if not fits.any():
        return nothing(count, _FLOAT64)
    numbers = cells.where(fits)
    values = numbers.array.cast(_FLOAT64)
    exact = _are_exact(numbers, values)
    if exact is not None:
        fits[fits] = exact
        values = values.filter(pa.array(exact))
    return scatter(values, fits)


def _are_exact(cells: Cells, values: pa.Array) -> Mask | None:
    """Which floats give their text back; None if all do. Every cell is a number, `inf` or `nan`."""
    floats = values.to_numpy()
    with np.errstate(invalid="ignore"):
        size = np.abs(floats)
        ordinary = (size > 1e-290) & (size < 1e290) | (size == 0) & (cells.lengths < 6)
    sure = ordinary & (cells.lengths <= _SAFE_LENGTH)
    if sure.all():
        return None
    exact = sure.copy()
    unsure = np.flatnonzero(~sure & np.isfinite(floats))
    exact[unsure] = _give_back(cells.array.take(pa.array(unsure)), values.take(pa.array(unsure)))
    return None if exact.all() else exact


def _give_back(texts: pa.Array, values: pa.Array) -> Mask:
    """Which numbers are equal to the shortest text of their float: by text first, one by one where that differs."""
    equal = as_mask(pc.equal(texts, values.cast(pa.string())))
    rest = np.flatnonzero(~equal)
    if len(rest):
        others = texts.take(pa.array(rest))
        plain = as_mask(pc.match_substring_regex(others, r"^-?[0-9]*\.?[0-9]*$"))
        trimmed = pc.utf8_rtrim(others, characters="0")
        short = as_mask(pc.less_equal(pc.binary_length(trimmed), _SAFE_LENGTH))
        dotted = as_mask(pc.match_substring(others, "."))
        equal[rest] = plain & dotted & short
        for at in rest[~equal[rest]]:
            equal[at] = Decimal(texts[int(at)].as_py()) == Decimal(repr(values[int(at)].as_py()))
    return equal


def read_decimal(cells: Cells, precision: int, scale: int) -> Reading:
    """Numbers without an exponent that a decimal of that size holds without rounding."""
    kind = pa.decimal128(precision, scale)
    fits = matching(cells, _PLAIN) & (cells.lengths <= LONGEST)
    if not fits.any():
        return nothing(len(cells), kind)
    plain = cells if fits.all() else cells.where(fits)
    _, whole, fraction = measure_decimal(plain, are_numbers=True)
    if whole <= precision - scale and fraction <= scale:
        return scatter(plain.array.cast(kind), fits)
    # Arrow wraps digits beyond 38 when it rescales, so these are sized one by one
    unit = Decimal(1).scaleb(-scale)
    numbers = [
        Decimal(text).quantize(unit, context=_WIDE) if _holds(text, precision, scale) else None
        for text in plain.array.to_pylist()
    ]
    fits[fits] = [number is not None for number in numbers]
    return scatter(pa.array([number for number in numbers if number is not None], kind), fits)


def _holds(text: str, precision: int, scale: int) -> bool:
    whole, _, fraction = text.removeprefix("-").partition(".")
    return len(fraction.rstrip("0")) <= scale and len(whole.lstrip("0")) <= precision - scale


def measure_decimal(cells: Cells, *, are_numbers: bool = False) -> tuple[Mask | None, int, int]:
    """Which cells are no plain decimal (None: none), and the most digits before and after the point of the rest.

    `are_numbers` says that every cell is known to read as a float.
    """
    failed = None
    if not (are_numbers and not ((cells.data | 0x20) == _EXPONENT).any()):
        fits = matching(cells, _PLAIN) & (cells.lengths <= LONGEST)
        failed = None if fits.all() else ~fits
        cells = cells if failed is None else cells.where(fits)
    if not len(cells):
        return failed, 0, 0
    signs = (cells.byte(0) == _MINUS).astype(np.int32)
    dots = np.flatnonzero(cells.data == _DOT).astype(np.int32)
    if not len(dots):
        return failed, int((cells.lengths - signs).max()), 0
    if len(dots) == len(cells):
        whole, fraction = dots - cells.starts - signs, cells.starts + cells.lengths - dots - 1
        return failed, int(whole.max()), int(fraction.max())
    owners = np.searchsorted(cells.starts, dots, side="right") - 1
    fractions = np.full(len(cells), -1, np.int32)
    fractions[owners] = cells.starts[owners] + cells.lengths[owners] - dots - 1
    return failed, int((cells.lengths - signs - fractions - 1).max()), int(max(fractions.max(), 0))


def beyond_int64(cells: Cells) -> Mask | None:
    """Which cells are whole numbers that int64 cannot hold; None if there are none."""
    if cells.longest < _WHOLE_LIMIT:
        return None
    wide = cells.lengths >= _WHOLE_LIMIT
    long = cells.where(wide)
    whole = matching(long, "^-?[1-9][0-9]{18,}$")
    for row in np.flatnonzero(whole & (long.lengths <= _WHOLE_LIMIT + 1)).tolist():
        whole[row] = not -(2**63) <= int(long.array[row].as_py()) < 2**63
    wide[wide] = whole
    return wide if whole.any() else None
