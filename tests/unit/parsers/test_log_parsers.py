"""What the shipped text parsers do beyond their cases."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import casparian_flow
from casparian_flow.sdk.testing import collect

PARSERS = Path(casparian_flow.__file__).parent / "parsers"
DATA = Path(__file__).parents[3].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data beside the repository")


def test_a_time_without_a_year_is_never_later_than_a_day_after_the_files_last_change(tmp_path: Path) -> None:
    file = tmp_path / "syslog"
    days = ("Dec 31", "Mar  2", "Mar  3", "Feb 29")
    file.write_text("".join(f"{day} 00:00:00 host app: x\n" for day in days))
    os.utime(file, (1_614_556_800, 1_614_556_800))  # 2021-03-01T00:00:00Z
    times = [record["time"][:10] for record in collect(PARSERS / "logs/syslog", file).records()]
    assert times == ["2020-12-31", "2021-03-02", "2020-03-03", "2020-02-29"]


def test_json_larger_than_the_window_is_read_in_pieces(tmp_path: Path) -> None:
    file = tmp_path / "big.json"
    element = '{"id": %d, "text": "' + "x" * 100_000 + ', ]}\\\\"}'
    file.write_text(
        '{"n": 1, "Records": [' + ",\n".join(element % number for number in range(120)) + '], "last": true}'
    )
    collected = collect(PARSERS / "generic/json", file)
    assert collected.tables[""].column("id").to_pylist() == [str(number) for number in range(120)]
    assert collected.tables["document"].to_pylist() == [{"n": "1", "last": "true"}]
    spans = [(int(a), int(b)) for rows in collected.rows[""] for a, b in zip(rows.start, rows.end, strict=True)]
    data = file.read_bytes()
    assert all(data[start : start + 1] == b"{" and data[end - 1 : end] == b"}" for start, end in spans)


def test_a_json_value_that_never_ends_is_one_rejection(tmp_path: Path) -> None:
    file = tmp_path / "endless.json"
    size = file.write_bytes(b'[{"a": 1}, "' + b"x" * (30 << 20))
    collected = collect(PARSERS / "generic/json", file)
    assert collected.tables[""].num_rows == 1
    (rejected,) = collected.rejected
    assert (rejected.code, rejected.start, rejected.end) == ("cf.json.too_long", 11, size)
    assert len(rejected.raw or b"") == 1 << 16


def test_a_json_line_that_is_too_long_spares_its_neighbours(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    file.write_bytes(b'{"a": 1}\n{"a": "' + b"x" * (17 << 20) + b'"}\n{"a": 2}\n')
    collected = collect(PARSERS / "generic/jsonl", file)
    assert collected.tables[""].column("a").to_pylist() == ["1", "2"]
    assert [one.code for one in collected.rejected] == ["cf.json.too_long"]


@needs_data
@pytest.mark.parametrize(
    ("parser", "name", "rows", "rejected"),
    [
        ("logs/syslog", "logs/syslog_copy", 12, 2),
        ("logs/syslog", "logs/appfirewall.log", 47, 0),
        ("logs/web_access", "logs/apache_access.log", 15, 0),
        ("generic/jsonl", "jsonl/gcp_logging.jsonl", 11, 0),
        ("generic/lines", "logs/skydriveerr-unicode.log", 28, 0),
    ],
)
def test_every_line_of_a_real_log_is_a_row_or_a_rejection(parser: str, name: str, rows: int, rejected: int) -> None:
    collected = collect(PARSERS / parser, DATA / name)
    assert sum(table.num_rows for table in collected.tables.values()) == rows
    assert len(collected.rejected) == rejected
