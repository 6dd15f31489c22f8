"""What one job tells of outputs that its parser does not declare."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.receipts import LONGEST_OUTPUT_SURVEY, MOST_NEW_COLUMNS, DriftNote
from casparian_flow.schema.new_outputs import NewOutputs, Room
from casparian_flow.schema.survey import Survey

SOURCE = "blake3:5"


def told(batches: list[pa.RecordBatch], room: Room | None = None, output: str = "extra") -> list[DriftNote]:
    """What is told of these batches, whose rows are numbered one after another."""
    found, at = NewOutputs(SOURCE, room), 1
    for batch in batches:
        numbers = pa.array(range(at, at + batch.num_rows), pa.int64())
        texts = pa.array([str(row) for row in batch.to_pylist()], pa.string())
        found.take(output, batch, numbers, texts)
        at += batch.num_rows
    return found.notes("extra")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["1", "2.5", "x", None, "2024-01-31"]), min_size=1, max_size=12), st.data())
def test_how_rows_are_cut_into_batches_changes_nothing_of_what_is_told(values: list[str | None], data) -> None:
    batch = pa.record_batch({"a": pa.array(values, pa.string()), "b": pa.array(range(len(values)))})
    cut = data.draw(st.integers(0, len(values)))
    whole, parts = told([batch], Room()), told([batch.slice(0, cut), batch.slice(cut)], Room())
    assert whole == parts
    assert Survey.from_bytes(whole[0].survey).rows == whole[0].rows == len(values)


def test_the_first_rows_are_the_samples_and_the_columns_are_surveyed_over_all() -> None:
    (note,) = told([pa.record_batch({"n": ["1", "2", "3", "4", "x" * 900]})], Room())
    assert (note.samples, note.source_row) == (("{'n': '1'}", "{'n': '2'}", "{'n': '3'}"), 1)
    assert [each.type for each in Survey.from_bytes(note.survey).verdicts()] == ["string"]


def test_without_a_draft_rows_are_counted_and_not_surveyed() -> None:
    (note,) = told([pa.record_batch({"n": ["1"]})])
    assert (note.rows, note.survey) == (1, b"")


def test_ten_thousand_columns_are_told_as_too_many_and_leave_room_for_others() -> None:
    room = Room()
    wide = pa.record_batch({f"c{at}": ["x"] for at in range(10_001)})
    assert [note.survey for note in told([wide], room)] == [b""]
    (narrow,) = told([pa.record_batch({"n": ["1"]})], room)
    assert Survey.from_bytes(narrow.survey).names == ["n"]


def test_all_outputs_of_a_file_share_the_room_and_no_survey_outgrows_a_receipt() -> None:
    room = Room()
    half = MOST_NEW_COLUMNS // 2 + 1
    sizes = [
        len(told([pa.record_batch({f"column_{each}": [1] for each in range(half)})], room)[0].survey) for _ in range(2)
    ]
    assert 0 < sizes[0] <= LONGEST_OUTPUT_SURVEY
    assert sizes[1] == 0
    texts = pa.record_batch({f"column_{each}": ["x y"] for each in range(MOST_NEW_COLUMNS)})
    assert told([texts], Room())[0].survey == b""


def test_an_output_that_grows_too_wide_later_is_not_surveyed_at_all() -> None:
    first = pa.record_batch({"n": [1]})
    then = pa.record_batch({f"c{at}": [1] for at in range(MOST_NEW_COLUMNS)})
    assert [(note.rows, note.survey) for note in told([first, then, first], Room())] == [(3, b"")]


def test_a_type_that_does_not_exist_costs_the_survey_and_not_the_rows() -> None:
    field = pa.field("n", pa.string(), metadata={"cf.type": "no such"})
    batch = pa.RecordBatch.from_arrays([pa.array(["1"])], schema=pa.schema([field]))
    assert told([batch], Room())[0].rows == 1
