"""Arrow data from a guest: what is valid comes through unchanged, what is forged never does."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.errors import ParserReserved
from casparian_flow.guest.wire import MAX_ROWS
from casparian_flow.worker.decode import decode_batch, decode_schema
from casparian_flow.worker.frames import BrokenFrame
from casparian_flow.worker.ipc_message import Malformed, read_batch_header

NOTHING = (False, False, False)
BATCH = pa.record_batch(
    {
        "t": ["first", None, "third", "fourth"],
        "n": [1, 2, None, 4],
        "l": pa.array([["a"], [], None, ["b", "c"]], pa.list_(pa.string())),
        "s": [{"a": 1}, None, {"a": 2}, {"a": 3}],
        "b": [True, None, False, True],
    }
)


def test_a_valid_batch_comes_through_with_its_places() -> None:
    places = struct.pack("<4q", 1, 2, 3, 4)
    body = pa.py_buffer(BATCH.serialize().to_pybytes() + places)
    batch, (source_row, start, end) = decode_batch(body, BATCH.schema, 4, (True, False, False))
    assert batch.equals(BATCH)
    assert source_row is not None
    assert source_row.to_pylist() == [1, 2, 3, 4]
    assert (start, end) == (None, None)


def test_a_row_that_starts_after_its_end_is_refused() -> None:
    places = struct.pack("<8q", 0, 5, 9, 12, 4, 9, 8, 20)
    body = pa.py_buffer(BATCH.serialize().to_pybytes() + places)
    with pytest.raises(BrokenFrame, match="after its end"):
        decode_batch(body, BATCH.schema, 4, (False, True, True))


@pytest.mark.parametrize(
    ("rows", "present"), [(3, NOTHING), (5, NOTHING), (MAX_ROWS + 1, NOTHING), (4, (True, False, False))]
)
def test_lengths_that_do_not_agree_are_refused(rows: int, present: tuple[bool, bool, bool]) -> None:
    with pytest.raises(BrokenFrame):
        decode_batch(BATCH.serialize(), BATCH.schema, rows, present)


@pytest.mark.parametrize(
    "kind",
    [
        pa.struct([("inner", pa.int64())]),
        pa.list_(pa.struct([("x", pa.list_(pa.struct([("inner", pa.int64())])))])),
        pa.timestamp("us", "inner"),
    ],
)
def test_texts_inside_of_a_type_that_are_not_utf_8_are_refused(kind: pa.DataType) -> None:
    declared = pa.schema([("column", kind)]).serialize().to_pybytes()
    decode_schema(pa.py_buffer(declared))
    with pytest.raises(BrokenFrame, match="cannot be read"):
        decode_schema(pa.py_buffer(declared.replace(b"inner", b"inn\x99r")))


def test_invalid_utf_8_is_refused() -> None:
    body = BATCH.serialize().to_pybytes().replace(b"third", b"th\xff\xfed")
    with pytest.raises(BrokenFrame, match="not valid Arrow data"):
        decode_batch(pa.py_buffer(body), BATCH.schema, 4, NOTHING)


def test_a_batch_of_another_schema_is_refused() -> None:
    other = pa.schema([pa.field("t", pa.string())] * 1)
    with pytest.raises(BrokenFrame):
        decode_batch(BATCH.select(["n"]).serialize(), other, 4, NOTHING)


def test_rows_without_bytes_are_bounded() -> None:
    huge = pa.record_batch({"a": pa.nulls(MAX_ROWS + 1)})
    with pytest.raises(BrokenFrame):
        decode_batch(huge.serialize(), huge.schema, MAX_ROWS + 1, NOTHING)
    nested = pa.record_batch({"a": pa.ListArray.from_arrays(pa.array([0, 1 << 28], pa.int32()), pa.nulls(1 << 28))})
    with pytest.raises(BrokenFrame, match="without bytes"):
        decode_batch(nested.serialize(), nested.schema, 1, NOTHING)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 64))
def test_a_mutated_batch_is_refused_or_valid_and_never_more(changes: list[tuple[int, int]], cut: int) -> None:
    body = bytearray(BATCH.serialize().to_pybytes())
    for at, value in changes:
        body[at % len(body)] = value
    data = bytes(body[: len(body) - cut])
    try:
        batch, _ = decode_batch(pa.py_buffer(data), BATCH.schema, 4, NOTHING)
    except BrokenFrame:
        return
    batch.validate(full=True)
    assert batch.num_rows == 4
    assert len(str(batch.to_pylist()).encode()) <= 20 * len(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_header_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        read_batch_header(memoryview(b"\xff\xff\xff\xff" + data))


def test_the_header_tells_what_the_message_claims() -> None:
    header = read_batch_header(memoryview(BATCH.serialize()))
    assert (header.rows, header.longest, header.is_compressed) == (4, 4, False)
    assert header.total == BATCH.serialize().size


@pytest.mark.parametrize(
    "schema",
    [
        pa.schema([("a", pa.int64()), ("a", pa.int64())]),
        pa.schema([("a", pa.dictionary(pa.int32(), pa.string()))]),
        pa.schema([("a", pa.list_(pa.dictionary(pa.int32(), pa.string())))]),
        pa.schema([("a", pa.uuid())]),
        pa.schema([("a", pa.string_view())]),
        pa.schema([("a", pa.sparse_union([pa.field("x", pa.int64())]))]),
        pa.schema([(f"c{at}", pa.int64()) for at in range(5_000)]),
        pa.schema([pa.field("a", pa.int64(), metadata={b"ARROW:extension:name": b"evil"})]),
    ],
    ids=["same name twice", "dictionary", "nested dictionary", "extension", "view", "union", "5,000", "metadata"],
)
def test_schemas_that_may_not_be_sent_are_refused(schema: pa.Schema) -> None:
    with pytest.raises(BrokenFrame):
        decode_schema(schema.serialize())


def test_names_that_are_not_utf_8_are_refused() -> None:
    body = pa.schema([("caption", pa.int64())]).serialize().to_pybytes().replace(b"caption", b"capt\xffon")
    with pytest.raises(BrokenFrame):
        decode_schema(pa.py_buffer(body))


@pytest.mark.invariant(5)
@pytest.mark.parametrize("name", ["_cf_job_id", "_Cf_x"])
def test_reserved_columns_are_refused_as_such(name: str) -> None:
    with pytest.raises(ParserReserved, match=name):
        decode_schema(pa.schema([(name, pa.int64())]).serialize())


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"\xff" * 64, b"PAR1" * 20])
def test_garbage_is_no_schema(data: Any) -> None:
    with pytest.raises(BrokenFrame):
        decode_schema(pa.py_buffer(data))
