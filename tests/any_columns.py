"""Hypothesis strategies for Arrow columns of every type that a table may have, nested ones too."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.sampled_from('a",\n\r\x00\\\x1fé\U0001f600 \ufeff01.-eE') | st.characters(exclude_categories=["Cs"]))
LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int64(), INT64),
    (pa.float64(), st.floats()),
    (pa.decimal128(38, 0), st.decimals(-(10**38) + 1, 10**38 - 1, places=0)),
    (pa.decimal128(9, 4), st.decimals(-99_999, 99_999, places=4)),
    (pa.date32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.time64("ns"), st.integers(0, 86_400 * 10**9 - 1)),
    (pa.timestamp("ns"), INT64),
    (pa.timestamp("ns", "Europe/Berlin"), INT64),
    (pa.duration("ns"), INT64),
    (pa.string(), TEXT),
    (pa.binary(), st.binary(max_size=9)),
]


@st.composite
def columns(draw: st.DrawFn, rows: int, depth: int = 0) -> pa.Array:
    """A column of any type of the type system."""
    mask = pa.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)), pa.bool_())
    shape = draw(st.sampled_from(["leaf", "leaf", "list", "struct"])) if depth < 3 else "leaf"
    if shape == "struct":
        names = draw(st.lists(st.sampled_from(["a", 'b"', "c,d", "é\\", " "]), min_size=1, max_size=3, unique=True))
        return pa.StructArray.from_arrays([draw(columns(rows, depth + 1)) for _ in names], names, mask=mask)
    if shape == "list":
        offsets = [0]
        for is_null in mask.to_pylist():
            offsets.append(offsets[-1] + (0 if is_null else draw(st.integers(0, 2))))
        members = draw(columns(offsets[-1], depth + 1))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), members, mask=mask)
    kind, values = draw(st.sampled_from(LEAVES))
    plain = [None if is_null else draw(values) for is_null in mask.to_pylist()]
    if pa.types.is_temporal(kind):
        return pa.array(plain, pa.int32() if pa.types.is_date(kind) else pa.int64()).view(kind)
    return pa.array(plain, kind)


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Columns of any types beside each other, cut out of something larger."""
    rows = draw(st.integers(1, 8))
    made = [draw(columns(rows)) for _ in range(draw(st.integers(1, 3)))]
    batch = pa.RecordBatch.from_arrays([*made, pa.array(range(rows))], [*map(str, range(len(made) + 1))])
    return batch.slice(draw(st.integers(0, rows - 1)))
