"""Rows as files: what each format keeps, what a spreadsheet may not run, and that a file is whole or not there."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from casparian_flow.core.errors import UsageError
from casparian_flow.operations.doing.query.row_files import RowFile, format_of, write_file, write_stream
from casparian_flow.operations.doing.writers import jsonl_file
from casparian_flow.operations.query.file_format import FileFormat
from hostile_texts import TEXTS

AT = dt.datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=dt.UTC)
ROWS = pa.table(
    {
        "whole": pa.array([2**63 - 1, None], pa.int64()),
        "amount": pa.array([Decimal("1.50"), None], pa.decimal128(38, 2)),
        "share": pa.array([0.1, None]),
        "is_ok": pa.array([True, None]),
        "at": pa.array([AT, None], pa.timestamp("ns", "UTC")),
        "day": pa.array([dt.date(2026, 3, 2), None]),
        "clock": pa.array([dt.time(10, 0, 1), None], pa.time64("ns")),
        "span": pa.array([1_500, None], pa.duration("ns")),
        "name": ['a "b"\n\\é\u202e', None],
        "raw": pa.array([b"\x00\xff", None]),
        "list": pa.array([[1, 2], None]),
        "pair": pa.array([{"a": 1, "b": 'x"'}, None]),
        "const": pa.array(["k", "k"]).dictionary_encode(),
    }
)


def written(path: Path, table: pa.Table = ROWS, **options: bool) -> Path:
    target = RowFile(path=path, format=format_of(path), table="sales", **options)
    assert write_file(target, table.to_reader()) == table.num_rows
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    return path


def test_parquet_keeps_every_type(tmp_path: Path) -> None:
    assert pq.read_table(written(tmp_path / "a.parquet")).equals(ROWS)


def test_json_lines_keep_all_digits_and_every_row_has_every_column(tmp_path: Path) -> None:
    first, second = (json.loads(line) for line in written(tmp_path / "a.jsonl").read_text().splitlines())
    assert first == {
        "whole": 2**63 - 1,
        "amount": "1.50",
        "share": 0.1,
        "is_ok": True,
        "at": "2026-03-02 10:00:00.123456Z",
        "day": "2026-03-02",
        "clock": "10:00:01",
        "span": "1500",
        "name": 'a "b"\n\\é\u202e',
        "raw": "00ff",
        "list": [1, 2],
        "pair": {"a": 1, "b": 'x"'},
        "const": "k",
    }
    assert second == dict.fromkeys(ROWS.column_names) | {"const": "k"}


def test_numbers_that_json_has_no_word_for_are_text(tmp_path: Path) -> None:
    table = pa.table(
        {"f": [float("nan"), float("inf"), 1e300], "h": pa.array([10**30, -1, None], pa.decimal128(38, 0))}
    )
    lines = [json.loads(line) for line in written(tmp_path / "a.jsonl", table).read_text().splitlines()]
    assert [line["f"] for line in lines] == ["nan", "inf", 1e300]
    assert [line["h"] for line in lines] == [10**30, -1, None]


def test_batches_larger_than_an_array_may_be_are_written_in_parts(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(jsonl_file, "MOST_BYTES", 1000)
    table = pa.table({"n": range(1000), "text": ["x" * 50] * 1000})
    lines = written(tmp_path / "a.jsonl", table).read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(1000))


def test_csv_tells_null_from_empty_text_and_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", pa.table({"n": [1, None], "text": ["", None], "at": ROWS["at"]}))
    assert path.read_text().splitlines() == ['"n","text","at"', '1,"","2026-03-02 10:00:00.123456Z"', ",,"]
    back = pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(strings_can_be_null=True))
    assert back["n"].to_pylist() == [1, None]


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "-"])
def test_no_cell_of_a_safe_csv_is_a_formula(tmp_path: Path, cell: str) -> None:
    safe = written(tmp_path / "a.csv", pa.table({cell: [cell, None, "fine"]}), is_csv_safe=True)
    lines = pa_csv.read_csv(safe, parse_options=pa_csv.ParseOptions(newlines_in_values=True))
    assert lines.column_names == ["'" + cell]
    assert lines[0].to_pylist()[0] == "'" + cell


def test_a_safe_csv_leaves_numbers_and_other_text_as_they_are(tmp_path: Path) -> None:
    table = pa.table({"n": [-5], "text": ["-5.5e3"], "plain": ["a=b"], "day": [dt.date(2026, 3, 2)]})
    assert written(tmp_path / "a.csv", table, is_csv_safe=True).read_text().splitlines()[1] == (
        '-5,"-5.5e3","a=b","2026-03-02"'
    )


def test_hostile_cells_come_back_as_they_were(tmp_path: Path) -> None:
    table = pa.table({"cell": list(TEXTS.values())})
    lines = written(tmp_path / "a.jsonl", table).read_bytes().split(b"\n")
    assert [json.loads(line)["cell"] for line in lines if line] == list(TEXTS.values())


def test_a_duckdb_file_has_the_table_with_its_types_and_opens_in_older_clients(tmp_path: Path) -> None:
    path = written(tmp_path / "a.duckdb")
    with duckdb.connect(path, read_only=True) as connection:
        types = {name: kind for name, kind, *_ in connection.execute("DESCRIBE sales").fetchall()}
        rows = connection.execute("SELECT whole, amount, day, clock, span, name, raw, pair.a FROM sales").fetchall()
        at = connection.execute('SELECT epoch_ns("at") FROM sales').fetchall()
    assert (types["whole"], types["amount"], types["clock"], types["span"]) == (
        "BIGINT",
        "DECIMAL(38,2)",
        "VARCHAR",
        "BIGINT",
    )
    assert rows[0][:5] == (2**63 - 1, Decimal("1.50"), dt.date(2026, 3, 2), "10:00:01", 1500)
    assert rows[0][5:] == (ROWS["name"][0].as_py(), b"\x00\xff", 1)
    assert (rows[1], at) == ((None,) * 8, [(int(AT.timestamp()) * 10**9 + 123_456_000,), (None,)])
    assert path.read_bytes()[8:12] == b"DUCK"


@pytest.mark.parametrize("format_", list(FileFormat))
def test_a_table_without_rows_is_a_file_with_columns_or_an_empty_one(tmp_path: Path, format_: FileFormat) -> None:
    path = written(tmp_path / f"a.{format_}", pa.table({"n": pa.array([], pa.int64())}))
    assert path.exists()
    if format_ is FileFormat.CSV:
        assert path.read_text() == '"n"\n'


@pytest.mark.parametrize("format_", list(FileFormat))
def test_nothing_is_left_of_a_file_whose_rows_end_in_an_error(tmp_path: Path, format_: FileFormat) -> None:
    def rows():
        yield pa.record_batch({"n": [1]})
        raise UsageError("the source is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), rows())
    with pytest.raises(UsageError, match="the source is gone"):
        write_file(RowFile(path=tmp_path / f"a.{format_}", format=format_), reader)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        written(path)
    assert path.read_text() == "mine"
    written(path, may_replace=True)
    assert path.read_text().startswith('"whole"')


def test_a_folder_that_is_not_there_and_an_unknown_extension_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_file(RowFile(path=tmp_path / "no" / "a.csv", format=FileFormat.CSV), ROWS.to_reader())
    with pytest.raises(UsageError, match="names no format"):
        format_of(Path("a.xlsx"))


def test_only_text_goes_to_standard_output(capfdbinary) -> None:
    assert write_stream(FileFormat.JSONL, pa.table({"n": [1, 2]}).to_reader()) == 2
    assert capfdbinary.readouterr().out == b'{"n":1}\n{"n":2}\n'
    with pytest.raises(UsageError):
        write_stream(FileFormat.PARQUET, ROWS.to_reader())
