"""Rows of two streams compared as bags."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.operations.doing.rehearsal.row_difference import compare_rows

ROWS = st.lists(st.tuples(st.none() | st.integers(0, 2), st.sampled_from(["a", "b", ""])), max_size=6)


def reader(table: pa.Table) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))


def table_of(rows: list[tuple[int | None, str]]) -> pa.Table:
    return pa.table({'n"o': pa.array([n for n, _ in rows], pa.int64()), "text": [text for _, text in rows]})


@settings(max_examples=25, deadline=None)
@given(ROWS, ROWS)
def test_added_and_removed_are_the_differences_of_the_bags(before: list, after: list) -> None:
    found = compare_rows(reader(table_of(before)), reader(table_of(after)))
    old, new = Counter(before), Counter(after)
    assert (found.added, found.removed) == ((new - old).total(), (old - new).total())


def test_columns_that_only_one_side_has_are_named_and_left_out() -> None:
    before = pa.table({"id": [1, 2], "old": ["x", "y"]})
    after = pa.table({"id": ["1", "3"], "new": [True, False]})
    found = compare_rows(reader(before), reader(after))
    assert (found.columns_added, found.columns_removed) == (["new"], ["old"])
    assert (found.added, found.removed) == (1, 1)


def test_tables_without_a_shared_column_differ_by_their_number_of_rows() -> None:
    found = compare_rows(reader(pa.table({"a": [1]})), reader(pa.table({"b": [1, 2, 3]})))
    assert (found.added, found.removed) == (2, 0)
