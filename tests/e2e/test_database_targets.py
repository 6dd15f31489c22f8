"""A run into a database: the same tables as a run into Parquet, for us and for whoever opens the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
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
TARGETS = {"duckdb": "duckdb://{}/out.duckdb", "sqlite": "sqlite://{}/out.db"}


@dataclass(frozen=True)
class Ran:
    """A run into a database."""

    product: Product
    data: Path
    uri: str

    def __call__(self, *arguments: str) -> Answer:
        return self.product(*arguments, expect=[0])

    @property
    def sink(self) -> Sink:
        return open_sink(self.uri)

    @contextmanager
    def opened(self) -> Iterator[Any]:
        scheme, _, path = self.uri.partition("://")
        connect = duckdb.connect if scheme == "duckdb" else sqlite3.connect
        with closing(connect(path)) as database:
            yield database

    def rows(self, query: str, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("sql", query, "--json", *options).json["rows"]
        return found


def run_in(folder: Path, scheme: str) -> Ran:
    ran = Ran(ProductHere(folder / "home"), some_files(folder / "data"), TARGETS[scheme].format(folder))
    ran.product.run(str(ran.data), "--sink", ran.uri)
    return ran


@pytest.fixture(scope="module", params=TARGETS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """For tests that only read."""
    return run_in(tmp_path_factory.mktemp("ran"), request.param)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Sink:
    """The same files in Parquet."""
    folder = tmp_path_factory.mktemp("parquet")
    product = ProductHere(folder / "home")
    product.run(str(some_files(folder / "data")))
    return open_sink(f"parquet://{product.home}")


def content(sink: Sink) -> dict[str, tuple[pa.Schema, list[str]]]:
    """Every table with its types and rows, without what differs from run to run."""
    found = {}
    for role in Role:
        for name in sink.tables(role):
            table = sink.read(name, role).read_all()
            kept = table.select([column for column in table.column_names if column not in VARYING])
            found[f"{role} {name}"] = (kept.schema, sorted(map(repr, kept.to_pylist())))
    return found


def test_a_database_and_parquet_hold_the_same_tables(ran: Ran, parquet: Sink) -> None:
    assert content(ran.sink) == content(parquet)


def test_the_views_hold_the_cells_of_the_parquet_run(ran: Ran, parquet: Sink) -> None:
    schema = "quarantine." if ran.uri.startswith("duckdb") else "_cf_quarantine__"
    for role in Role:
        for name in parquet.tables(role):
            wanted = parquet.read(name, role).read_all()
            columns = [column for column in wanted.column_names if column not in VARYING]
            names = ", ".join(f'"{column}"' for column in columns)
            with ran.opened() as database:
                view = name if role is Role.ACCEPTED else schema + name
                found = database.execute(f"SELECT {names} FROM {view} ORDER BY _cf_source_row").fetchall()
            is_lite = ran.uri.startswith("sqlite")
            expected = zip(*(cells(wanted[column].combine_chunks(), is_lite) for column in columns), strict=True)
            assert found == list(expected), f"{role} {name}"


def cells(column: pa.Array, is_lite: bool) -> list[Any]:
    """The values as the database's own driver gives them."""
    kind = column.type
    is_own = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_binary(kind)
    return column.to_pylist() if is_own or not is_lite else text_of(column).to_pylist()


def test_a_table_in_the_uri_names_the_view(tmp_path: Path) -> None:
    product, data = ProductHere(tmp_path / "home"), some_files(tmp_path / "data")
    product.run(str(data / "sales.csv"), "--sink", f"sqlite://{tmp_path}/out.db/takings")

    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        assert database.execute("SELECT count(*), sum(amount) FROM takings").fetchone() == (3, 1.75)


@pytest.mark.parametrize("scheme", ["sqlite", pytest.param("duckdb", marks=pytest.mark.slow)])
def test_a_second_run_writes_nothing_and_a_changed_file_replaces_its_rows(scheme: str, tmp_path: Path) -> None:
    ran = run_in(tmp_path, scheme)
    before = ran.sink.snapshot("sales", Role.ACCEPTED)
    job = next(each["job"] for each in ran("jobs", "--json").json["jobs"] if each["path"] == "sales.csv")

    assert ran.product.run(str(ran.data), "--sink", ran.uri)["run"] == 0
    assert ran.sink.snapshot("sales", Role.ACCEPTED) == before

    (ran.data / "sales.csv").write_text("id,amount,day,said\n9,9.00,2024-02-29,new\n")
    ran.product.run(str(ran.data), "--sink", ran.uri)

    with ran.opened() as database:
        assert database.execute("SELECT id FROM sales").fetchall() == [(9,)]
    assert ran.rows("SELECT id FROM sales") == [{"id": 9}]
    assert ran.rows("SELECT id FROM sales ORDER BY id", "--as-of", job) == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("out", ".out"))] == [Path(ran.uri).name]


def test_every_command_that_reads_works(ran: Ran, tmp_path: Path) -> None:
    [row] = ran.rows(
        "SELECT typeof(day) AS kind, sum(amount) AS amount, count(said) AS said, count(*) AS n, any_value(code) AS code"
        " FROM sales, quarantine.sales GROUP BY ALL"
    )
    assert (row["kind"], float(row["amount"]), row["said"], row["n"]) == ("DATE", 1.75, 2, 3)
    traced = ran("trace", f"{ran.data}/sales.csv:1", "--json").out
    assert "two\\nlines" in traced and ran.uri in traced
    assert "3 accepted, 1 quarantined" in ran("why", f"{ran.data}/sales.csv").out
    group = ran("quarantine", "list", "--json").json["groups"][0]["group"]
    assert "4,1,2,3,4,5" in ran("quarantine", "show", group, "--json").out
    ran("quarantine", "export", group, str(tmp_path / "bad.parquet"))
    assert pq.read_table(tmp_path / "bad.parquet")["raw"].to_pylist() == [b"4,1,2,3,4,5\n"]
