"""A run into CSV files: the same tables as a run into Parquet, and every command that reads them."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.csv_text import text_of
from casparian_flow.sinks.uri import open_sink
from landing_files import some_files
from product import Answer, Product, ProductHere

VARYING = {"_cf_job_id", "_cf_processed_at", "_cf_file_version_id"}
REAL = [
    "logs/syslog_copy",
    "logs/AccessProtectionLog.txt",
    "logs/password.csv",
    "jsonl",
    "sqlite",
    "evtx/security_bad_string_cache.evtx",
]


@dataclass(frozen=True)
class Ran:
    """A run into CSV files."""

    product: Product
    data: Path
    out: Path

    def __call__(self, *arguments: str) -> Answer:
        return self.product(*arguments, expect=[0])

    @property
    def sink(self) -> Sink:
        return open_sink(f"csv://{self.out}")

    def rows(self, query: str, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("sql", query, "--json", *options).json["rows"]
        return found


def run_in(folder: Path) -> Ran:
    ran = Ran(ProductHere(folder / "home"), some_files(folder / "data"), folder / "out")
    ran.product.run(str(ran.data), "--sink", ran.sink.uri)
    return ran


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """For tests that only read."""
    return run_in(tmp_path_factory.mktemp("ran"))


def content(sink: Sink) -> dict[str, tuple[pa.Schema, list[str]]]:
    """Every table with its types and rows, without what differs from run to run."""
    found = {}
    for role in Role:
        for name in sink.tables(role):
            table = sink.read(name, role).read_all()
            kept = table.select([column for column in table.column_names if column not in VARYING])
            found[f"{role} {name}"] = (kept.schema, sorted(map(repr, kept.to_pylist())))
    return found


def test_csv_and_parquet_hold_the_same_tables(ran: Ran, tmp_path: Path) -> None:
    other = ProductHere(tmp_path / "home")
    other.run(str(ran.data))

    assert content(ran.sink) == content(open_sink(f"parquet://{other.home}"))


@pytest.mark.slow
def test_real_files_are_the_same_tables_in_csv_and_parquet(shared_data: Path, tmp_path: Path) -> None:
    for name in REAL:
        copy, kind = tmp_path / "data" / name, shared_data / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(kind, copy, copy_function=shutil.copyfile) if kind.is_dir() else shutil.copyfile(kind, copy)
    one, other = ProductHere(tmp_path / "one"), ProductHere(tmp_path / "other")

    said = one.run(str(tmp_path / "data"))
    said_too = other.run(str(tmp_path / "data"), "--sink", f"csv://{tmp_path}/out")

    assert (said["accepted"], said["quarantined"]) == (said_too["accepted"], said_too["quarantined"])
    assert said["accepted"] > 1000 and said["quarantined"] > 0
    assert content(open_sink(f"csv://{tmp_path}/out")) == content(open_sink(f"parquet://{one.home}"))


def test_a_csv_file_of_ours_is_read_back_with_the_same_cells(ran: Ran, tmp_path: Path) -> None:
    sink, again = ran.sink, ProductHere(tmp_path / "again")
    (tmp_path / "copies").mkdir()
    for name in sink.tables(Role.ACCEPTED):
        [path] = sink.snapshot(name, Role.ACCEPTED).files
        shutil.copyfile(path, tmp_path / "copies" / f"{name}.csv")

    again.run(str(tmp_path / "copies"), expect=[0])

    for name in sink.tables(Role.ACCEPTED):
        written, found = sink.read(name, Role.ACCEPTED).read_all(), again.table(name)
        for column in written.column_names:
            read_back = f"x{column}" if column.startswith("_cf_") else column
            assert texts(found, read_back) == texts(written, column), f"{name}.{column}"


def texts(table: pa.Table, column: str) -> list[str | None]:
    return text_of(table.column(column).combine_chunks()).to_pylist()


@pytest.mark.slow
def test_a_new_version_of_a_file_replaces_its_rows_and_history_stays(tmp_path: Path) -> None:
    ran = run_in(tmp_path)
    job = next(each["job"] for each in ran("jobs", "--json").json["jobs"] if each["path"] == "sales.csv")
    (ran.data / "sales.csv").write_text("id,amount,day,said\n9,9.00,2024-02-29,new\n")
    ran.product.run(str(ran.data), "--sink", ran.sink.uri)

    assert ran.rows("SELECT id FROM sales ORDER BY id") == [{"id": 9}]
    assert ran.rows("SELECT id FROM sales ORDER BY id", "--as-of", job) == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert len(list((ran.out / "outputs" / "sales").rglob("*.csv"))) == 2
    assert ran.product.run(str(ran.data), "--sink", ran.sink.uri)["run"] == 0


def test_sql_sees_types_and_quarantine(ran: Ran) -> None:
    [row] = ran.rows(
        "SELECT typeof(day) AS kind, sum(amount) AS amount, count(said) AS said, count(*) AS n, any_value(code) AS code"
        " FROM sales, quarantine.sales GROUP BY ALL"
    )
    assert (row["kind"], float(row["amount"]), row["said"], row["n"]) == ("DATE", 1.75, 2, 3)
    assert row["code"] == "cf.csv.arity"
    assert ran.rows("SELECT count(*) AS n FROM events") == [{"n": 3}]


def test_trace_and_why_lead_from_the_file_to_its_rows(ran: Ran) -> None:
    traced = ran("trace", f"{ran.data}/sales.csv:1", "--json").out
    assert "two\\nlines" in traced and "csv://" in traced
    assert "3 accepted, 1 quarantined" in ran("why", f"{ran.data}/sales.csv").out


def test_quarantine_is_shown_and_exported(ran: Ran, tmp_path: Path) -> None:
    group = ran("quarantine", "list", "--json").json["groups"][0]["group"]
    assert "4,1,2,3,4,5" in ran("quarantine", "show", group, "--json").out
    shown = ran("quarantine", "show", group, "--format", "table").out
    assert "  cf.csv.arity: 6 fields where the table has 4\n  raw: 4,1,2,3,4,5\\n\n" in shown
    assert "more" not in shown
    ran("quarantine", "export", group, str(tmp_path / "bad.parquet"))
    assert pq.read_table(tmp_path / "bad.parquet")["raw"].to_pylist() == [b"4,1,2,3,4,5\n"]


def test_any_csv_reader_finds_the_rows(ran: Ran) -> None:
    [path] = ran.sink.snapshot("sales", Role.ACCEPTED).files
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [(row["id"], row["amount"], row["said"]) for row in rows] == [
        ("1", "1.5", 'two\nlines, "quoted"'),
        ("2", "", ""),
        ("3", "0.25", ""),
    ]
