"""Every cell is read as Python's own number and date types would read it, whatever stands beside it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.schema.cast import cast_column

SOUP = st.text("0123456789-+.eEx ,NTZ:/", max_size=12)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(2**63) - 3, -(2**63) + 3).map(str),
    st.integers(2**63 - 3, 2**63 + 3).map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.integers(0, 10**6).map(lambda number: f"{number:012d}"),
    st.sampled_from(
        [
            "0",
            "-0",
            "-0.0",
            "+5",
            "5.",
            ".5",
            "-.5",
            ".",
            "-",
            "-.",
            "1e5",
            "1E+5",
            "1e",
            "1e400",
            "1e-400",
            "0e9",
            "0.00000000",
            "007",
            "00",
            "0x1F",
            "1_0",
            "nan",
            "inf",
            "Infinity",
            "0.1",
            "9007199254740993",
            "9007199254740992",
            "9007199254740993.0",
            "1.50000000000000000000",
            "0.10000000000000001",
            "4e-324",
            "2.5e-324",
            "1.7976931348623157e308",
            "123456789012345678",
            "0.30000000000000004",
            "1٣",
        ]
    ),
    st.just(""),
    SOUP,
)


def cast(texts: list[str | None], type_name: str, pattern: str | None = None) -> list[tuple[object, bool]]:
    values, failed = cast_column(pa.array(texts, pa.string()), ContractColumn("c", type_name, format=pattern))
    values.validate(full=True)
    mask = [False] * len(texts) if failed is None else failed.tolist()
    assert failed is None or failed.any()
    return list(zip(values.to_pylist(), mask, strict=True))


def number_or_none(text: str) -> Decimal | None:
    if len(text) > 64 or not re.fullmatch(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text, re.ASCII):
        return None
    return Decimal(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | NUMBERS, min_size=1, max_size=40))
def test_int64_takes_exactly_the_texts_that_an_int_writes_back(texts: list[str | None]) -> None:
    for text, (value, failed) in zip(texts, cast(texts, "int64"), strict=True):
        fits = text is not None and re.fullmatch(r"-?[0-9]+", text, re.ASCII) and str(int(text)) == text
        fits = fits and -(2**63) <= int(text or 0) < 2**63
        assert value == (int(text) if fits and text else None)
        assert failed == (text is not None and not fits)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | NUMBERS, min_size=1, max_size=40))
@example(["0.1", "9007199254740993"])
@example(["1.50000000000000000000", "0.10000000000000001", "1e-400"])
def test_float64_takes_exactly_the_numbers_whose_float_gives_them_back(texts: list[str | None]) -> None:
    for text, (value, failed) in zip(texts, cast(texts, "float64"), strict=True):
        number = None if text is None else number_or_none(text)
        fits = number is not None and abs(float(number)) != float("inf") and Decimal(repr(float(number))) == number
        assert value == (float(number) if fits and number is not None else None), text
        assert failed == (text is not None and not fits), text


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | NUMBERS, min_size=1, max_size=40), st.integers(1, 38), st.integers(0, 38))
def test_decimal_takes_exactly_the_numbers_it_holds_without_rounding(
    texts: list[str | None], precision: int, scale: int
) -> None:
    scale = min(scale, precision)
    for text, (value, failed) in zip(texts, cast(texts, f"decimal({precision},{scale})"), strict=True):
        number = None if text is None or "e" in text.lower() else number_or_none(text)
        fits = number is not None and _fits_decimal(number, precision, scale)
        assert value == (number if fits else None), text
        assert failed == (text is not None and not fits), text


def _fits_decimal(number: Decimal, precision: int, scale: int) -> bool:
    scaled = Decimal(number).scaleb(scale) if number else Decimal(0)
    return scaled == int(scaled) and abs(int(scaled)) < 10**precision


DAYS = st.one_of(
    st.dates().map(date.isoformat),
    st.dates().map(lambda day: f"{day:%d/%m/}{day.year:04d}"),
    st.tuples(st.integers(0, 2500), st.integers(0, 14), st.integers(0, 33)).map(
        "{0[0]:04d}-{0[1]:02d}-{0[2]:02d}".format
    ),
    st.sampled_from(
        ["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-2-9", "20240229", "2024-02-29 ", ""]
    ),
    SOUP,
)


RECENT_DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(date.isoformat)


def _damaged(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts as they are, or with one character in the place of another."""
    changed = st.builds(
        lambda text, at, sign: text[: at % len(text)] + sign + text[at % len(text) + 1 :],
        texts,
        st.integers(0, 40),
        st.sampled_from("0123456789-+:. TZ"),
    )
    return texts | changed


def parsed(text: str | None, pattern: str, shape: str) -> datetime | None:
    if text is None or not re.fullmatch(shape, text, re.ASCII):
        return None
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        return None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | DAYS, min_size=1, max_size=40) | st.lists(_damaged(RECENT_DAYS), min_size=1, max_size=3))
def test_dates_are_those_that_the_calendar_has(texts: list[str | None]) -> None:
    iso, other = r"\d{4}-\d\d-\d\d", r"\d\d/\d\d/\d{4}"
    for pattern, shape in ((None, iso), ("%Y-%m-%d", iso), ("%d/%m/%Y", other)):
        for text, (value, failed) in zip(texts, cast(texts, "date", pattern), strict=True):
            day = parsed(text, pattern or "%Y-%m-%d", shape)
            assert value == (day.date() if day else None)
            assert failed == (text is not None and day is None)


def _moments(days: st.SearchStrategy[date]) -> st.SearchStrategy[str]:
    return st.builds(
        "{:%Y-%m-%d}{}{:%H:%M}{}{}".format,
        days,
        st.sampled_from(["T", " ", "T", "_"]),
        st.times(),
        st.sampled_from(["", ":00", ":59", ":60", ":07.5", ":07.123456789", ":07.1234567890", ":07.", ":7"]),
        st.sampled_from(["", "", "", "Z", "+02:00", "-0530", "+14", "+2", "+24:00", "-00:00", "z"]),
    )


MOMENTS = _moments(st.dates(date(1000, 1, 1)))
RECENT_MOMENTS = _damaged(_moments(st.dates(date(1900, 1, 1), date(2099, 12, 31))))
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
EPOCH = datetime(1970, 1, 1)


def nanoseconds(text: str, *, zoned: bool) -> int | None:
    match = MOMENT.fullmatch(text)
    if match is None or bool(match[6]) != zoned:
        return None
    try:
        moment = datetime.strptime(f"{match[1]} {match[2]} {match[3]} {match[4] or '00'}", "%Y-%m-%d %H %M %S")
    except ValueError:
        return None
    if match[4] in ("60", "61"):
        return None
    seconds = (moment - EPOCH) // timedelta(seconds=1)
    if zoned and match[6] != "Z":
        digits = match[6][1:].replace(":", "").ljust(4, "0")
        if int(digits[:2]) > 23 or int(digits[2:]) > 59:
            return None
        offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        seconds += offset if match[6][0] == "-" else -offset
    total = seconds * 10**9 + int((match[5] or "0").ljust(9, "0"))
    return total if abs(seconds) < 2**63 // 10**9 - 1 else None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.none() | MOMENTS | DAYS, min_size=1, max_size=30)
    | st.lists(RECENT_MOMENTS | RECENT_DAYS, min_size=1, max_size=3),
    st.booleans(),
)
@example(["2020-01-01 10+20:07"], True)
@example(["2020-01-01"], False)
def test_timestamps_are_read_to_the_nanosecond_and_never_wrapped(texts: list[str | None], zoned: bool) -> None:
    column = ContractColumn("c", "timestamp_tz(UTC)" if zoned else "timestamp")
    values, failed = cast_column(pa.array(texts, pa.string()), column)
    found = values.cast(pa.int64()).to_pylist()
    for at, text in enumerate(texts):
        expected = None if text is None else nanoseconds(text, zoned=zoned)
        assert found[at] == expected, text
        assert (failed is not None and bool(failed[at])) == (text is not None and expected is None), text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | NUMBERS | DAYS | MOMENTS, min_size=2, max_size=30), st.data())
def test_a_cell_is_read_alike_in_a_slice_and_alone(texts: list[str | None], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(texts) - 1))
    whole = pa.array(texts, pa.string())
    for type_name in ("boolean", "int64", "float64", "decimal(20,4)", "date", "time", "timestamp", "timestamp_tz(UTC)"):
        column = ContractColumn("c", type_name)
        values, _ = cast_column(whole, column)
        parts = [cast_column(whole.slice(0, cut), column)[0], cast_column(whole.slice(cut), column)[0]]
        assert pa.concat_arrays(parts).equals(values)


COLUMNS = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20).map(
        lambda values: pa.array(values, pa.int64())
    ),
    st.lists(st.none() | st.floats() | st.integers(-(2**54), 2**54).map(float), min_size=1, max_size=20).map(
        lambda values: pa.array(values, pa.float64())
    ),
    st.lists(st.none() | st.decimals(-(10**20), 10**20, places=3), min_size=1, max_size=20).map(
        lambda values: pa.array(values, pa.decimal128(38, 3))
    ),
)


@settings(max_examples=150, deadline=None)
@given(COLUMNS, st.sampled_from(["int64", "float64", "decimal(25,5)", "decimal(6,1)"]))
def test_a_typed_number_is_cast_only_if_it_stays_the_same_number(column: pa.Array, type_name: str) -> None:
    values, failed = cast_column(column, ContractColumn("c", type_name))
    values.validate(full=True)
    for at, (before, after) in enumerate(zip(column.to_pylist(), values.to_pylist(), strict=True)):
        bad = failed is not None and bool(failed[at])
        number = None if before is None else Decimal(repr(before) if isinstance(before, float) else before)
        if number is None or bad or not number.is_finite():
            assert after is None or column.type == values.type
            assert bad == (number is not None and _cannot_hold(number, type_name, before))
        else:
            assert Decimal(repr(after) if isinstance(after, float) else after) == number
            assert not _cannot_hold(number, type_name, before)


def _cannot_hold(number: Decimal, type_name: str, before: object) -> bool:
    if type_name == "float64":
        return not isinstance(before, float) and Decimal(repr(float(number))) != number
    if not number.is_finite():
        return True
    if type_name == "int64":
        limit = 2**53 if isinstance(before, float) else 2**63 - 1
        return not (number == int(number) and -limit - 1 <= number <= limit) or (
            isinstance(before, float) and abs(number) > limit
        )
    precision, scale = (25, 5) if type_name == "decimal(25,5)" else (6, 1)
    with localcontext() as context:
        context.prec = 1000
        return not _fits_decimal(number, precision, scale)
