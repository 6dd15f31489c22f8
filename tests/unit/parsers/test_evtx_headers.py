"""Every byte of an event log's headers may be wrong: no record is invented or altered, and every loss is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.sdk import PermanentError
from evtx_writer import CHUNK, HEADER, RECORDS, chunk_of, log_of, logons
from shipped_parser import Parsed, load_shipped_parser, run_parser

parser = load_shipped_parser("windows/evtx")
EACH = 3
WHOLE = log_of([chunk_of(logons(EACH, 1 + EACH * at), 1 + EACH * at) for at in range(2)], next_id=2 * EACH + 1)
MARKS = {"record_state", "chunk_no"}
"""What a row says about how its record was found, not about the record."""
FILE_HEADER = range(128)
CHUNK_HEADER = range(HEADER + CHUNK, HEADER + CHUNK + RECORDS)
STEP = 23


def some(places: range) -> Iterator[Any]:
    """All places in as many parts as one part has steps; the first is fast, the others are slow."""
    for part in range(STEP):
        yield pytest.param(places[part::STEP], marks=() if part == 0 else pytest.mark.slow, id=f"part-{part}")


def events(parsed: Parsed) -> dict[int, dict[str, Any]]:
    found = {}
    for place, row in zip(parsed.places("evtx_events", "source_row"), parsed.rows("evtx_events"), strict=True):
        assert place not in found
        found[place] = {name: value for name, value in row.items() if name not in MARKS}
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    path = tmp_path_factory.mktemp("sound") / "log.evtx"
    path.write_bytes(WHOLE)
    return events(run_parser(parser, path))


@pytest.mark.parametrize("bits", [0xFF, 0x01])
@pytest.mark.parametrize("places", [*some(FILE_HEADER), *some(CHUNK_HEADER)])
def test_each_byte_of_a_header_in_turn_may_be_wrong(
    places: range, bits: int, tmp_path: Path, sound: dict[int, dict[str, Any]]
) -> None:
    path = tmp_path / "log.evtx"
    for at in places:
        data = bytearray(WHOLE)
        data[at] ^= bits
        path.write_bytes(data)
        parsed = run_parser(parser, path)
        found = events(parsed)
        assert found.items() <= sound.items(), f"byte {at}: a record is not what it was"
        if at < HEADER:
            assert len(found) == len(sound), f"byte {at}: the header of the file cost a record"
        else:
            assert found.keys() >= set(range(1, EACH + 1)), f"byte {at}: damage reached another chunk"
        assert len(found) == len(sound) or parsed.rejected, f"byte {at}: records are missing and nobody said so"
        (books,) = parsed.rows("evtx_files")
        assert books["records_read"] == len(found)
        assert all(0 <= entry.start <= entry.end <= len(data) for entry in parsed.rejected)


def test_a_log_of_nothing_but_wrong_bytes_is_refused_or_told(tmp_path: Path) -> None:
    path = tmp_path / "log.evtx"
    for data in (b"\xff" * len(WHOLE), WHOLE[:8] + b"\xff" * (len(WHOLE) - 8), WHOLE[:100]):
        path.write_bytes(data)
        try:
            parsed = run_parser(parser, path)
        except PermanentError:
            continue
        assert "evtx_events" not in parsed.outputs() or not parsed.rows("evtx_events")
        assert parsed.rejected
