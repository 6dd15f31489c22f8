"""The event log parser on real logs, where the shared samples are present."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from shipped_parser import SHARED, Parsed, load_shipped_parser, run_parser

LOGS = SHARED / "evtx"
pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason="the shared sample logs (../shared/data/evtx) are not here")

parser = load_shipped_parser("windows/evtx")
HEADER, CHUNK = 4096, 65536


@pytest.mark.parametrize(
    ("name", "read", "expected", "codes"),
    [
        ("Application_no_crc32", 17, 17, {}),
        ("E_Windows_system32_winevt_logs_Microsoft-Windows-Shell-Core%4Operational", 1146, 1146, {}),
        ("MSExchange_Management_wec", 1, 1, {}),
        ("Microsoft-Windows-HelloForBusiness%4Operational", 5, 20, {"cf.evtx.chunk_crc": 1, "cf.evtx.record": 1}),
        ("new-user-security", 4, 4, {}),
        ("sample-with-irregular-bool-values", 3028, 3028, {}),
        ("sample-with-zero-data-size-event", 449, 450, {"cf.evtx.chunk_crc": 1, "cf.evtx.record": 1}),
        (
            "sample_with_a_bad_chunk_magic",
            298,
            2015,
            {"cf.evtx.chunk_crc": 3, "cf.evtx.record": 3, "cf.evtx.chunk_magic": 2, "cf.evtx.chunk_zeroed": 2},
        ),
        ("security", 2261, 2261, {}),
        ("security_bad_string_cache", 2261, 2261, {"cf.evtx.chunk_crc": 1}),
        ("sysmon", 358, 358, {}),
        ("system", 1881, 1881, {}),
    ],
)
def test_every_sample_is_accounted_for(name: str, read: int, expected: int, codes: dict[str, int]) -> None:
    parsed = run_parser(parser, LOGS / f"{name}.evtx")
    books = parsed.rows("evtx_files")[0]
    assert (books["records_read"], books["records_expected"], dict(parsed.codes)) == (read, expected, codes)
    assert len(parsed.rows("evtx_events")) == read


def _zero_a_chunk(data: bytearray) -> None:
    data[HEADER + 4 * CHUNK : HEADER + 5 * CHUNK] = bytes(CHUNK)


def _overwrite_a_magic(data: bytearray) -> None:
    data[HEADER + 4 * CHUNK : HEADER + 4 * CHUNK + 8] = b"garbage!"


def _truncate(data: bytearray) -> None:
    del data[HEADER + 9 * CHUNK + 30_000 :]


def _wipe_the_header(data: bytearray) -> None:
    data[:HEADER] = bytes(HEADER)


def _overwrite_at_random(data: bytearray) -> None:
    source = random.Random(7)
    for _ in range(10):
        at = source.randrange(HEADER, HEADER + 15 * CHUNK)
        data[at : at + 40] = source.randbytes(40)


@pytest.fixture
def damage(tmp_path: Path) -> Callable[[Callable[[bytearray], None]], Parsed]:
    def run(change: Callable[[bytearray], None]) -> Parsed:
        data = bytearray((LOGS / "system.evtx").read_bytes())
        change(data)
        path = tmp_path / "system.evtx"
        path.write_bytes(data)
        return run_parser(parser, path)

    return run


@pytest.mark.parametrize(
    ("change", "lost", "codes"),
    [
        (_zero_a_chunk, 127, {"cf.evtx.chunk_zeroed": 1}),
        (_overwrite_a_magic, 0, {"cf.evtx.chunk_magic": 1}),
        (_wipe_the_header, 0, {"cf.evtx.header": 1}),
    ],
)
def test_damage_to_a_real_log_is_told_exactly(damage, change, lost: int, codes: dict[str, int]) -> None:
    parsed = damage(change)
    books = parsed.rows("evtx_files")[0]
    assert (books["records_read"], books["records_expected"], dict(parsed.codes)) == (1881 - lost, 1881, codes)


def test_a_real_log_cut_short_keeps_every_whole_record(damage) -> None:
    parsed = damage(_truncate)
    books = parsed.rows("evtx_files")[0]
    ids = parsed.places("evtx_events", "source_row")
    assert ids == list(range(1, len(ids) + 1))
    assert books["records_expected"] > books["records_read"] == len(ids)
    assert dict(parsed.codes) == {"cf.evtx.truncated": 1}
    assert parsed.rejected[0].start == parsed.places("evtx_events", "end")[-1]


def test_random_overwrites_of_a_real_log_cost_single_records(damage) -> None:
    parsed = damage(_overwrite_at_random)
    books = parsed.rows("evtx_files")[0]
    lost = 1881 - books["records_read"]
    assert books["records_expected"] == 1881
    assert 0 < lost <= parsed.codes["cf.evtx.record"] + 3
    whole = run_parser(parser, LOGS / "system.evtx")
    originals = set(whole.places("evtx_events", "source_row"))
    assert set(parsed.places("evtx_events", "source_row")) <= originals
