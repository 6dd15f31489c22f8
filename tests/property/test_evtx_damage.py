"""Whatever happens to the bytes of an event log, no record is invented and every loss is told."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.sdk import PermanentError
from evtx_writer import HEADER, chunk_of, log_of, logons
from shipped_parser import load_shipped_parser, run_parser

parser = load_shipped_parser("windows/evtx")
WHOLE = log_of([chunk_of(logons(30, 1 + 30 * at), 1 + 30 * at) for at in range(3)], next_id=91)

overwrites = st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=60)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(overwrites, st.sampled_from([0, 0, 0, 1, 5_000, 40_000, 70_000, 140_000]))
def test_damage_loses_no_more_than_it_tells(changes: list[tuple[int, bytes]], cut: int) -> None:
    data = bytearray(WHOLE)
    for at, new in changes:
        data[at : at + len(new)] = new
    del data[len(WHOLE) - cut :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.evtx"
        path.write_bytes(data)
        try:
            parsed = run_parser(parser, path)
        except PermanentError:
            assert data[:8] != WHOLE[:8] and len(data) <= HEADER
            return
    ids = parsed.places("evtx_events", "source_row")
    starts, ends = parsed.places("evtx_events", "start"), parsed.places("evtx_events", "end")
    assert len(set(starts)) == len(starts) and all(end <= begin for end, begin in zip(ends, starts[1:], strict=False))
    (books,) = parsed.rows("evtx_files")
    assert books["records_read"] == len(ids) <= books["records_expected"]
    for entry in parsed.rejected:
        assert entry.start is not None and entry.end is not None and 0 <= entry.start <= entry.end <= len(data)
    if len(ids) < 90:
        assert parsed.rejected, "records are missing and nobody said so"
    if not parsed.rejected:
        assert ids == list(range(1, 91))
