from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from casparian_flow.core.errors import LogConflict, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks import csv_blocks
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.sinks.csv_format import CsvFormat
from casparian_flow.sinks.lineage import stamped_schema
from casparian_flow.sinks.uri import open_sink
from sink_builders import DIGEST, a_batch, commit, permitted, sealed, stamped
from typed_columns import COLUMNS, TEXTS


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    return open_sink(f"csv://{tmp_path}")


def committed(sink: Sink, batch: pa.RecordBatch, seq: int = 1) -> Path:
    sink.promote([permitted(sealed(sink, seq, [batch]), seq, seq)])
    return Path(sink.snapshot("events", Role.ACCEPTED).files[-1])


def test_a_file_is_what_rfc_4180_says(sink: Sink) -> None:
    path = committed(sink, pa.record_batch({"n": [1, None], 'say, "x"': ['a "b"\n', None], "empty": ["", "z"]}))

    lineage = f'7,"{DIGEST}",%d,"csv@1.0+abcdef01",2023-11-14 22:13:20Z\r\n'
    assert path.read_bytes().decode() == (
        'n,"say, ""x""",empty,_cf_job_id,_cf_file_version_id,_cf_source_hash,_cf_source_row,_cf_parser_version,'
        "_cf_processed_at\r\n"
        '1,"a ""b""\n","",1,' + lineage % 1 + ',,"z",1,' + lineage % 2
    )
    assert path.name == "events_1.1.0.csv"


CELLS = [
    ("boolean", ["true", "false", ""]),
    (
        "float64",
        ["1.5", "5.0", "0.0", "-0.0", "0.1", "1e-7", "1e+20", "5e-324"],
    ),
    ("float64 that is no number", ["nan"]),
    ("decimal(5,3)", ["0.001", "-0.010", "99.999"]),
    ("decimal(38,38)", ["0." + "9" * 38, "-0." + "0" * 37 + "1"]),
    ("date", ["0001-01-01", "1969-12-31", "9999-12-31"]),
    ("time", ["00:00:00", "00:00:00.000000001", "23:59:59.999999999"]),
    ("timestamp_tz", ["2023-11-14 22:13:20.123456789Z", "1970-01-01 00:00:00Z"]),
    ("duration", ["1700000000123456789", "0", "-1", "9223372036854775807"]),
    ("binary", ['""', f'"{bytes(range(256)).hex()}"']),
    ("list of lists", ['"[]"', '"[[1,null],[],null]"', ""]),
    ("list of floats", ['"[0.5,""Infinity"",null,-0.0,3.0]"']),
    ("list of timestamps", ['"[""2023-11-14 22:13:20.123456789"",null,""1970-01-01 00:00:00""]"']),
]


@pytest.mark.parametrize(("name", "cells"), CELLS, ids=[name for name, _ in CELLS])
def test_a_value_is_written_as_the_readme_says(sink: Sink, name: str, cells: list[str]) -> None:
    lines = committed(sink, pa.record_batch({"x": COLUMNS[name]})).read_text().splitlines()[1:]

    assert [line.rpartition(",1,7,")[0] for line in lines][: len(cells)] == cells


def test_other_programs_read_the_same_texts(sink: Sink) -> None:
    path = committed(sink, pa.record_batch({"x": [text for text in TEXTS if "\0" not in text]}))

    with path.open(encoding="utf-8", newline="") as file:
        by_python = [row["x"] for row in csv.DictReader(file, strict=True)]
    by_duckdb = duckdb.sql(
        f"SELECT x FROM read_csv('{path}', header=true, all_varchar=true, delim=',', quote='\"', escape='\"',"
        " nullstr='no such text', strict_mode=false, new_line='\\r\\n')"
    ).fetchall()

    assert by_python == [text for text in TEXTS if "\0" not in text]
    assert [x for (x,) in by_duckdb] == by_python


def test_no_value_is_altered_for_a_spreadsheet(sink: Sink) -> None:
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"]

    lines = committed(sink, pa.record_batch({"x": formulas})).read_text().splitlines()[1:]

    assert [line.split('"')[1] for line in lines] == formulas


def test_the_schema_beside_the_rows_tells_their_types(sink: Sink) -> None:
    path = committed(sink, pa.record_batch({"x": COLUMNS["decimal(5,3)"][:3], "y": COLUMNS["struct"]}))

    columns = json.loads((path.parent / "schema.json").read_text())["body"]["columns"]

    assert columns[0] == {"name": "x", "type": "decimal128(5, 3)", "nullable": True}
    assert [member["name"] for member in columns[1]["type"]["struct"]] == ["a", "b"]
    assert [column["name"] for column in columns[2:]] == stamped_schema(pa.schema([])).names


def test_a_contract_version_has_one_schema(sink: Sink) -> None:
    commit(sink, 1, 1)
    other = pa.record_batch({"n": ["text"]})

    with pytest.raises(LogConflict, match="two schemas"):
        sealed(sink, 2, [other])

    assert [path.name for path in Path(sink.snapshot("events", Role.ACCEPTED).files[0]).parent.iterdir()] != []
    sink.promote([permitted(sealed(sink, 2, [other], version=2), 2, 2)])
    assert sink.read("events", Role.ACCEPTED, columns=["n"]).read_all().to_pydict() == {"n": ["1", "2", "3", "text"]}


def test_a_schema_goes_with_the_last_file_it_is_about(sink: Sink, tmp_path: Path) -> None:
    first = sink.stage(Attempt(job=1, attempt=1), "events", Role.ACCEPTED, 1, stamped_schema(a_batch().schema))
    first.write(stamped(a_batch(), 1))
    first.seal(DIGEST, DIGEST)
    second = sealed(sink, 2, [a_batch([4])])

    first.discard()
    sink.promote([permitted(second, 1, 2)])
    assert sink.read("events", Role.ACCEPTED, columns=["n"]).read_all().to_pydict() == {"n": [4]}

    sealed(sink, 3, [a_batch([5])], table="other")
    assert sink.sweep([]) == 1
    assert not (tmp_path / "outputs" / "other").exists()


def test_a_damaged_byte_is_noticed(sink: Sink) -> None:
    path = committed(sink, a_batch())
    path.write_bytes(path.read_bytes().replace(b"row 2", b"row 9"))

    with pytest.raises(VerificationFailed, match="not as it was sealed"):
        sink.read("events", Role.ACCEPTED).read_all()


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_schema_is_named(sink: Sink, damage: str) -> None:
    path = committed(sink, a_batch()).parent / "schema.json"
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(data[:-5] if damage == "cut" else data.replace(b"int64", b"int32"))

    with pytest.raises(VerificationFailed) as caught:
        sink.read("events", Role.ACCEPTED)

    assert caught.value.where == str(path)


def test_a_record_may_be_larger_than_a_block(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 64)
    texts = ["\r\n" * 500, "x", '"' * 1001, "", "\n,\n" * 77] * 3

    committed(sink, pa.record_batch({"x": texts}))

    assert sink.read("events", Role.ACCEPTED, columns=["x"]).read_all().to_pydict() == {"x": texts}


def test_large_files_are_split(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CsvFormat, "bytes_at_once", 1 << 20)
    monkeypatch.setattr(CsvFormat, "part_bytes", 3 << 20)
    noise = np.random.default_rng(1)
    batches = [pa.record_batch({"blob": [noise.bytes(50_000).hex() for _ in range(5)]}) for _ in range(20)]

    output = sealed(sink, 1, batches)
    sink.promote([permitted(output, 1, 1)])

    assert [file.name[-5:] for file in output.files] == ["0.csv", "1.csv", "2.csv"]
    assert all(file.size < 6 << 20 for file in output.files)
    found = sink.read("events", Role.ACCEPTED, columns=["blob"]).read_all().column("blob")
    assert found.to_pylist() == [value for batch in batches for value in batch.column("blob").to_pylist()]


def test_dates_and_times_beyond_their_text_come_back(sink: Sink) -> None:
    days = pa.array([-(2**31), -719_529, -719_528, 2_932_896, 2_932_897, 2**31 - 1, None], pa.int32()).view(pa.date32())
    instants = pa.array([-(2**63), -(2**63) + 1, None, 0, 1, 2, 3], pa.int64()).view(pa.timestamp("ns", "UTC"))
    batch = pa.record_batch({"day": days, "at": instants})

    path = committed(sink, batch)

    found = sink.read("events", Role.ACCEPTED, columns=["day", "at"]).read_all().combine_chunks().to_batches()[0]
    assert found.equals(batch)
    assert path.read_text().splitlines()[1].startswith("-2147483648,-9223372036854775808,")
