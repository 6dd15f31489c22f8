"""The law of CSV cells: whatever the values are, their text and the text's values are the same for ever."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from any_columns import TEXT, batches
from casparian_flow.sinks.csv_blocks import last_end
from casparian_flow.sinks.csv_format import texts_of
from casparian_flow.sinks.csv_text import records
from casparian_flow.sinks.csv_values import values_of


@settings(max_examples=150, deadline=None)
@given(batch=batches())
def test_every_value_comes_back_from_its_text(batch: pa.RecordBatch) -> None:
    data = bytes(records(batch))

    texts = texts_of(data, batch.num_columns, range(batch.num_columns)).combine_chunks()

    values = [
        values_of(column.combine_chunks(), field.type)
        for column, field in zip(texts.columns, batch.schema, strict=True)
    ]
    found = pa.RecordBatch.from_arrays(values, schema=batch.schema)
    assert bytes(records(found)) == data
    assert found.equals(batch) or b"nan" in data.lower()  # which equals nothing, not itself


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=5), cut=st.integers(0, 200))
def test_records_are_cut_where_they_end(texts: list[str], cut: int) -> None:
    each = [bytes(records(pa.record_batch({"x": [text]}))) for text in texts]
    whole = b"".join(each)
    ends = [sum(map(len, each[:n])) for n in range(len(each) + 1)]

    assert last_end(whole) == len(whole)
    assert last_end(whole[:cut]) == max(end for end in ends if end <= min(cut, len(whole)))
