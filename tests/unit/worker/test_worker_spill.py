from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from casparian_flow.worker.spill import Spill, read_spill


def test_batches_come_back_as_they_went_in_also_when_their_schema_changes(tmp_path: Path) -> None:
    one = pa.record_batch({"a": ["x", None]})
    two = pa.record_batch({"a": [1], "b": [2.5]}).replace_schema_metadata({"headerless": "1"})
    rows, start, end = (pa.array(values, pa.int64()) for values in ([1, 2], [0, 5], [5, 9]))
    spill = Spill(tmp_path / "deep" / "0.rows")
    spill.write(one, rows, start, end)
    spill.write(two, rows[:1], None, None)
    spill.write(one, rows, None, None)
    spill.close()
    assert spill.rows == 5
    back = list(read_spill(tmp_path / "deep" / "0.rows"))
    assert [batch for batch, *_ in back] == [one, two, one]
    assert back[1][0].schema.metadata == {b"headerless": b"1"}
    assert [each[1].to_pylist() for each in back] == [[1, 2], [1], [1, 2]]
    assert (back[0][2].to_pylist(), back[0][3].to_pylist()) == ([0, 5], [5, 9])
    assert back[1][2:] == (None, None)


def test_a_spill_without_rows_is_read_as_nothing(tmp_path: Path) -> None:
    Spill(tmp_path / "0.rows").close()
    assert list(read_spill(tmp_path / "0.rows")) == []
