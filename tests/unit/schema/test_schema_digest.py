"""The digest of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.schema.digest import CHUNK, CHUNK_BYTES, RowDigest


def digest(*batches: pa.RecordBatch) -> str:
    running = RowDigest()
    for batch in batches:
        running.update(batch)
    return running.hex()


ROWS = 2 * CHUNK + 4465
BATCH = pa.record_batch(
    {
        "n": pa.array(np.arange(ROWS), mask=np.arange(ROWS) % 7 == 0),
        "s": pa.array([None if at % 11 == 0 else f"text {at}" for at in range(ROWS)]),
        "b": pa.array(np.arange(ROWS) % 2 == 0),
    }
)


@pytest.mark.parametrize("size", [1000, CHUNK - 1, CHUNK, CHUNK + 1, ROWS])
def test_batch_sizes_do_not_matter(size: int) -> None:
    assert digest(*(BATCH.slice(at, size) for at in range(0, ROWS, size))) == digest(BATCH)


def wide_rows() -> pa.RecordBatch:
    """Rows of up to 100 kB in texts, lists and structs, enough for several pieces."""
    random = np.random.default_rng(7)
    texts = [None if at % 5 == 0 else "w" * int(random.integers(0, 60_000)) for at in range(2_000)]
    lists = [None if at % 7 == 0 else ["l" * int(random.integers(0, 9_000))] * (at % 4) for at in range(2_000)]
    structs = [None if at % 3 == 0 else {"n": at, "t": "s" * int(random.integers(0, 20_000))} for at in range(2_000)]
    return pa.record_batch({"text": texts, "list": lists, "struct": structs})


@pytest.mark.parametrize("size", [1, 333, 1_999])
def test_batch_sizes_do_not_matter_for_wide_rows_either(size: int) -> None:
    batch = wide_rows()
    assert batch.nbytes > 2 * CHUNK_BYTES
    assert digest(*(batch.slice(at, size) for at in range(0, batch.num_rows, size))) == digest(batch)


def test_what_waits_for_its_piece_does_not_grow_with_the_width_of_rows() -> None:
    running, before = RowDigest(), pa.total_allocated_bytes()
    most = 0
    for at in range(200):
        running.update(pa.record_batch({"c": [f"{at:07}" * (1 << 17)]}))
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < CHUNK_BYTES + (8 << 20)


def test_rows_survive_the_way_through_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_batches([BATCH]), tmp_path / "rows.parquet", row_group_size=9999)
    assert digest(*pq.read_table(tmp_path / "rows.parquet").to_batches()) == digest(BATCH)


def test_order_and_every_single_value_matter() -> None:
    swapped = BATCH.take(pa.array([1, 0, *range(2, ROWS)]))
    assert digest(swapped) != digest(BATCH)
    missing = np.arange(ROWS) % 7 == 0
    missing[99_999] = True
    changed = BATCH.set_column(0, "n", pa.array(np.arange(ROWS), mask=missing))
    assert digest(changed) != digest(BATCH)


def test_the_digest_of_known_rows_never_changes() -> None:
    batch = pa.record_batch({"a": pa.array([1, None]), "b": pa.array(["x", ""]), "c": pa.array([[0.5], []])})
    assert digest(batch) == "blake3:d6b94fbfab94450fc2267bdd85fa209fbccc69dff7741fcc24af2f2db149c40c"


def test_moving_a_byte_between_two_texts_matters() -> None:
    assert digest(pa.record_batch({"c": ["ab", "c"]})) != digest(pa.record_batch({"c": ["a", "bc"]}))
    assert digest(pa.record_batch({"c": ["", None]})) != digest(pa.record_batch({"c": [None, ""]}))


def test_every_nan_is_one_value() -> None:
    odd = np.array([0x7FF8000000000001], np.uint64).view(np.float64)
    assert digest(pa.record_batch({"f": pa.array(odd, from_pandas=False)})) == digest(
        pa.record_batch({"f": pa.array([float("nan")])})
    )


def test_no_rows_have_a_digest_of_their_schema() -> None:
    assert digest(BATCH.slice(0, 0)) != digest(BATCH.slice(0, 0).select(["n"]))
    assert digest(BATCH.slice(0, 0), BATCH) == digest(BATCH)


def test_rows_of_another_schema_are_refused() -> None:
    running = RowDigest()
    running.update(BATCH)
    with pytest.raises(InvariantBroken):
        running.update(BATCH.select(["n"]))


def test_what_a_file_calls_the_items_of_a_list_is_no_part_of_the_digest() -> None:
    inner = pa.array([[{"a": [1]}], None, []], pa.list_(pa.struct([("a", pa.list_(pa.int64()))])))
    other = pa.list_(pa.field("element", pa.struct([("a", pa.list_(pa.field("element", pa.int64())))])))
    digests = []
    for column in (inner, inner.cast(other)):
        digest = RowDigest()
        digest.update(pa.record_batch({"x": column}))
        digests.append(digest.hex())
    assert digests[0] == digests[1]
