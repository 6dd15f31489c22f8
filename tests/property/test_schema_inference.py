"""Inference sees all values: order, splits and merges never change it, and what it says, casting holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.schema.candidates import KEYS
from casparian_flow.schema.cast import cast_column
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.eliminate import NULL_WORDS
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.validate import Validator
from casparian_flow.sdk.emit import FIELD_ENCODING

FAMILIES = {
    "int64": st.integers(-(10**6), 10**6).map(str),
    "wide": st.integers(-(2**70), 2**70).map(str),
    "float64": st.floats(-1e9, 1e9).map(repr),
    "money": st.decimals(-(10**18), 10**18, places=2).map(str),
    "boolean": st.sampled_from(["true", "FALSE", "True", "false"]),
    "date": st.dates().map(lambda day: day.isoformat()),
    "slashed": st.dates().map(lambda day: f"{day:%d/%m/}{day.year:04d}"),
    "american": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map("{:%m-%d-%Y %H:%M:%S}".format),
    "timestamp": st.datetimes(datetime(1600, 1, 1), datetime(2400, 1, 1)).map(datetime.isoformat),
    "zoned": st.tuples(
        st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.sampled_from(["Z", "+02:00", "-0130"])
    ).map(lambda pair: pair[0].isoformat(" ", "seconds") + pair[1]),
    "time": st.times().map(lambda time: time.isoformat()),
    "words": st.sampled_from(NULL_WORDS),
    "text": st.text(max_size=8),
}
SPECIAL = st.sampled_from(["31/12/2024", "0", "-0", "1e5", "9223372036854775808", "0.1", "007", "12:30", "N/A", ""])


@st.composite
def columns(draw: st.DrawFn) -> list[str | None]:
    """Mostly one family, sometimes with a stray value, nulls or another family among it."""
    name = draw(st.sampled_from(sorted(FAMILIES)))
    values = draw(st.lists(FAMILIES[name] | FAMILIES[name] | st.none(), min_size=1, max_size=90))
    stray = draw(st.lists(st.one_of(SPECIAL, *FAMILIES.values()), max_size=draw(st.sampled_from([0, 0, 1, 5]))))
    return draw(st.permutations(values + stray))


def tagged(value: object) -> str | None:
    if value is None:
        return None
    return f'"{value}' if isinstance(value, str) else json.dumps(value)


JSON_VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False),
    FAMILIES["timestamp"],
    FAMILIES["date"],
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.booleans(), max_size=2),
)
JSON_FAMILIES = [
    st.booleans(),
    st.integers(-99, 99),
    st.floats(-9, 9),
    FAMILIES["timestamp"],
    FAMILIES["zoned"],
    st.text(),
]


@st.composite
def json_columns(draw: st.DrawFn) -> list[str | None]:
    family = draw(st.sampled_from(JSON_FAMILIES))
    stray = draw(st.lists(JSON_VALUES, max_size=draw(st.sampled_from([0, 0, 2]))))
    return draw(st.permutations([tagged(value) for value in draw(st.lists(st.none() | family, max_size=40)) + stray]))


def a_batch(plain: list[str | None], json_values: list[str | None]) -> pa.RecordBatch:
    count = min(len(plain), len(json_values)) or max(len(plain), len(json_values))
    fields, arrays = [], []
    for name, values, metadata in (("p", plain, None), ("j", json_values, {FIELD_ENCODING: b"json"})):
        fields.append(pa.field(name, pa.string(), metadata=metadata))
        arrays.append(pa.array((values + [None] * count)[:count], pa.string()))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def surveyed(batch: pa.RecordBatch, rows: list[int], source: str = "f") -> Survey:
    return Survey.of(batch, pa.array(rows, pa.int64()), source)


@settings(max_examples=100, deadline=None)
@given(columns(), json_columns(), st.data())
def test_order_splits_and_merges_never_change_the_state(
    plain: list[str | None], values: list[str | None], data: st.DataObject
) -> None:
    batch = a_batch(plain, values)
    count = batch.num_rows
    rows = list(range(1, count + 1))
    whole = surveyed(batch, rows).to_bytes()

    order = data.draw(st.permutations(range(count)))
    shuffled = batch.take(pa.array(order, pa.int64()))
    assert surveyed(shuffled, [rows[at] for at in order]).to_bytes() == whole

    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=5)))
    pieces = [(start, end) for start, end in zip([0, *cuts], [*cuts, count], strict=True)]
    parts = [surveyed(shuffled.slice(a, b - a), [rows[at] for at in order[a:b]]) for a, b in pieces]
    merged = Survey.merged(data.draw(st.permutations(parts)))
    assert merged.to_bytes() == whole
    assert merged.verdicts() == surveyed(batch, rows).verdicts()
    half = len(parts) // 2
    assert Survey.merged(parts[half:]).merge(Survey.merged(parts[:half])).to_bytes() == whole

    streamed = Survey.empty()
    for a, b in data.draw(st.permutations(pieces)):
        streamed.add(batch.slice(a, b - a), pa.array(rows[a:b], pa.int64()), "f")
    assert streamed.to_bytes() == whole
    assert Survey.from_bytes(whole).to_bytes() == whole


@settings(max_examples=60, deadline=None)
@given(columns(), columns(), st.integers(0, 90))
def test_two_files_give_one_answer_whichever_comes_first(
    first: list[str | None], second: list[str | None], cut: int
) -> None:
    one = surveyed(a_batch(first, []), list(range(1, len(first) + 1)), "aa")
    batch = a_batch(second, [])
    cut = min(cut, batch.num_rows)
    head = surveyed(batch.slice(0, cut), list(range(1, cut + 1)), "bb")
    tail = surveyed(batch.slice(cut), list(range(cut + 1, batch.num_rows + 1)), "bb")
    assert one.merge(head).merge(tail).to_bytes() == tail.merge(one.merge(head)).to_bytes()
    assert one.merge(head.merge(tail)).to_bytes() == head.merge(tail).merge(one).to_bytes()


@settings(max_examples=150, deadline=None)
@given(columns(), json_columns())
def test_a_type_survives_exactly_when_every_value_casts(plain: list[str | None], values: list[str | None]) -> None:
    batch = a_batch(plain, values)
    survey = surveyed(batch, list(range(1, batch.num_rows + 1)))
    for name, is_tagged in (("p", False), ("j", True)):
        column = batch.column(batch.schema.get_field_index(name))
        if not is_tagged:
            keep = [value not in NULL_WORDS for value in column.to_pylist()]
            column = column.filter(pa.array(keep, pa.bool_()))
        state = survey.columns[name].tagged if is_tagged else survey.columns[name].plain
        for key in KEYS[is_tagged]:
            type_name, _, pattern = key.partition(" ")
            if type_name == "decimal":
                precision = state.whole + state.scale
                if not state.is_open(key) or precision > 38:
                    continue
                type_name = f"decimal({max(precision, 1)},{state.scale})"
            if type_name == "timestamp_tz":
                type_name = "timestamp_tz(UTC)"
            target = ContractColumn("c", type_name, format=pattern or None)
            _, failed = cast_column(column, target, tagged=is_tagged)
            assert state.is_open(key) == (failed is None), key


@settings(max_examples=150, deadline=None)
@given(columns(), json_columns())
def test_every_surveyed_row_fits_its_drafted_contract(plain: list[str | None], values: list[str | None]) -> None:
    batch = a_batch(plain, values)
    rows = pa.array(range(1, batch.num_rows + 1), pa.int64())
    contract = draft_contract("t", Survey.of(batch, rows, "f"))
    validated = Validator(contract).validate(batch, rows)
    assert validated.rejected.num_rows == 0
    assert validated.accepted.num_rows == batch.num_rows
    for at in range(batch.num_columns):
        found = validated.accepted.column(validated.accepted.schema.get_field_index(batch.schema.names[at]))
        assert found.null_count == batch.column(at).null_count


def every_cell_reads(column: list[str | None], read: Callable[[str], object]) -> bool:
    try:
        return all(value is None or read(value) is not None for value in column)
    except ValueError:
        return False


@settings(max_examples=80, deadline=None)
@given(columns())
def test_a_slashed_date_is_settled_only_by_its_values(plain: list[str | None]) -> None:
    batch = a_batch(plain, [])
    verdict = next(one for one in Survey.of(batch).verdicts() if one.name == "p")
    if verdict.format == "%d/%m/%Y":
        days = [value for value in plain if value is not None]
        assert every_cell_reads(plain, lambda text: datetime.strptime(text, "%d/%m/%Y"))
        assert any(int(day[:2]) > 12 or day[:2] == "00" for day in days)
    if verdict.type == "string" and "ambiguous" in verdict.note:
        assert "%d" in verdict.note
        assert "%m" in verdict.note
