"""The SQL console through the command: what it answers, and what it refuses while another process writes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.errors import NotFound, QueryFailed, UsageError
from casparian_flow.operations.doing.query.sql import ask
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.query.sql import AskSql
from casparian_flow.settings import Home, Settings
from product import Product, ProductHere

TIMELINE = """
-- View version history for all files
SELECT
    l.rel_path,
    v.id as version_id,
    v.content_hash,
    v.size_bytes,
    v.detected_at,
    COUNT(j.id) as jobs_processed
FROM cf_file_location l
JOIN cf_file_version v ON v.location_id = l.id
LEFT JOIN cf_processing_queue j ON j.file_version_id = v.id
GROUP BY l.rel_path, v.id
ORDER BY l.rel_path, v.detected_at;
"""
LINEAGE = """
-- Complete lineage: Job → Version → Location
SELECT
    j.id as job_id,
    j.status,
    j.plugin_name,
    v.id as version_id,
    v.content_hash,
    l.rel_path,
    v.detected_at
FROM cf_processing_queue j
JOIN cf_file_version v ON v.id = j.file_version_id
JOIN cf_file_location l ON l.id = v.location_id
ORDER BY j.id;
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """A home with the table `sales` of two files, one of them read in two versions."""
    folder = tmp_path_factory.mktemp("console")
    data = folder / "data"
    data.mkdir()
    (data / "sales_1.csv").write_text("id,amount\n1,2.5\n2,3.5\n")
    (data / "sales_2.csv").write_text("id,amount\n3,4.5\n")
    product = ProductHere(folder / "home")
    product.run(str(data))
    (data / "sales_2.csv").write_text("id,amount\n3,4.5\n4,oops\n")
    product.run(str(data))
    return product


@pytest.fixture(scope="module")
def while_writing(filled: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The same home while a run holds it and writes."""
    data = tmp_path_factory.mktemp("slow")
    (data / "slow.txt").write_text("one\n")
    (data / "parser.py").write_text(
        "import time\ndef parse(path):\n    while True:\n        yield 'slow', [{'n': 1}]\n        time.sleep(0.05)\n"
    )
    process = filled.start("run", str(data / "slow.txt"), "--parser", str(data / "parser.py"))
    try:
        while filled("jobs", "--state", "running", "--json").json["jobs"] == []:
            assert process.poll() is None
        yield filled
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def answer_of(product: Product, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = product("sql", *arguments, "--json", expect=[0]).json["rows"]
    return rows


def test_the_version_timeline_of_the_first_designs_runs_as_it_was_written(filled: Product) -> None:
    rows = answer_of(filled, TIMELINE)
    assert [row["rel_path"] for row in rows] == ["sales_1.csv", "sales_2.csv", "sales_2.csv"]
    assert [row["jobs_processed"] for row in rows] == [1, 1, 1]
    assert all(row["content_hash"].startswith("blake3:") for row in rows)


def test_the_lineage_query_of_the_first_designs_runs_as_it_was_written(filled: Product) -> None:
    rows = answer_of(filled, LINEAGE)
    assert {(row["status"], row["plugin_name"]) for row in rows} == {("completed", "delimited")}
    assert [row["rel_path"] for row in rows].count("sales_2.csv") == 2
    assert len(rows) == 3


def test_every_table_that_is_listed_can_be_queried(filled: Product) -> None:
    listed = [table["table"] for table in filled("tables", "--json", expect=[0]).json["tables"]]
    assert {"sales", "quarantine.sales", "cf_processing_queue"} <= set(listed)
    query = " UNION ALL ".join(f"SELECT '{table}' AS name, count(*) AS rows FROM {table}" for table in listed)
    assert {row["name"] for row in answer_of(filled, query)} == set(listed)


@pytest.mark.slow
def test_as_of_a_job_shows_output_and_quarantine_as_they_were(filled: Product) -> None:
    *first, last = sorted(row["job_id"] for row in answer_of(filled, LINEAGE))
    sales = "SELECT id FROM sales ORDER BY id"
    rejected = "SELECT _cf_source_row AS id FROM quarantine.sales"

    def ids(query: str, *as_of: str) -> list[int]:
        return [row["id"] for row in answer_of(filled, query, *as_of)]

    assert (ids(sales), ids(rejected)) == ([1, 2, 3], [2])
    assert (ids(sales, "--as-of", str(last)), ids(rejected, "--as-of", str(last))) == ([1, 2, 3], [2])
    landed_first, landed_second = sorted((ids(sales, "--as-of", str(job)) for job in first), key=len)
    assert landed_first in ([1, 2], [3])
    assert landed_second == [1, 2, 3]
    assert [ids(rejected, "--as-of", str(job)) for job in first] == [[], []]


ATTACKS = [
    "COPY sales TO '{out}'",
    "WITH d AS (COPY sales TO '{out}') SELECT 1",
    "WITH d AS (INSERT INTO sales VALUES (1)) SELECT 1",
    "WITH d AS (DELETE FROM sales) SELECT 1",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('{home}/outputs/sales/v1/*.parquet')",
    "SELECT * FROM parquet_scan('{home}/outputs/sales/v1/*.parquet')",
    "SELECT * FROM parquet_metadata('{home}/outputs/sales/v1/*.parquet')",
    "SELECT * FROM parquet_schema('{home}/outputs/sales/v1/*.parquet')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '{home}/state.sqlite3'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT (SELECT count(*) FROM read_text('/etc/passwd'))",
    "SELECT * FROM sales WHERE id IN (SELECT 1 FROM glob('/etc/*'))",
    "FROM read_text('/etc/passwd')",
    "ATTACH '{home}/state.sqlite3' AS s (TYPE sqlite)",
    "ATTACH '{out}'",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "DROP TABLE sales",
    "INSERT INTO sales VALUES (1)",
    "UPDATE sales SET id = 1",
    "DELETE FROM sales",
    "TRUNCATE sales",
    "ALTER TABLE sales ADD COLUMN x INT",
    "VACUUM",
    "CHECKPOINT",
    "SELECT 1; COPY sales TO '{out}'",
    "SELECT 1; SELECT 2",
    "SELECT * FROM query('COPY sales TO ''{out}''')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('sales')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT getenv('HOME')",
    "EXPLAIN ANALYZE COPY sales TO '{out}'",
    "EXPLAIN COPY sales TO '{out}'",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "PIVOT (SELECT * FROM read_text('/etc/passwd')) ON filename",
    "PIVOT sales ON id USING sum(amount); COPY sales TO '{out}'",
    "WITH d AS (COPY sales TO '{out}') PIVOT sales ON id USING sum(amount)",
    "PIVOT '/etc/passwd' ON column0",
    "UNPIVOT (FROM glob('/etc/*')) ON file",
    "FROM (PIVOT read_text('/etc/passwd') ON filename)",
    "SELECT * FROM __main__sales",
    "BEGIN TRANSACTION",
    "",
]


def test_no_attack_reads_or_writes_a_file_while_another_process_writes(while_writing: Product, tmp_path: Path) -> None:
    out = tmp_path / "out"
    home = Home(while_writing.home)
    for attack in ATTACKS:
        query = attack.format(out=out, home=home.path)
        with open_reading(home, Settings(), tmp_path) as reading, pytest.raises((UsageError, NotFound, QueryFailed)):
            pytest.fail(f"{query} was answered: {ask(reading, AskSql(query=query))}")
        assert not out.exists(), query
    assert answer_of(while_writing, "SELECT count(*) AS n FROM sales") == [{"n": 3}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT " + "(" * 2000 + "1" + ")" * 2000, {0, 1, 2}),
        ("SELECT " + "1+" * 20000 + "1", {0, 1, 2}),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r", {1}),
        pytest.param("SELECT count(*) FROM range(1000000) a, range(1000000) b", {1}, marks=pytest.mark.slow),
        pytest.param("SELECT sum(length(repeat('x', 1000000000)))", {0, 1}, marks=pytest.mark.slow),
        ("SELECT list(repeat('x', 1000000) || i) FROM range(100000) t(i)", {1}),
        ("SELECT 1 + " + "x" * 110_000, {2}),
    ],
    ids=["parentheses", "sum", "recursion", "product", "text", "list", "length"],
)
def test_a_query_that_wants_too_much_is_stopped(filled: Product, query: str, code: set[int]) -> None:
    answer = filled("sql", query, "--timeout", "1", "--json")
    assert answer.code in code, answer.err
    assert "Traceback" not in answer.err + answer.out
    assert '"crash"' not in answer.err + answer.out


def test_a_huge_answer_is_cut_and_says_so(filled: Product) -> None:
    answer = filled("sql", "SELECT i FROM range(5000000) t(i)", "--max-rows", "1000", "--json", expect=[0])
    assert len(answer.json["rows"]) == 1000
    assert "the first 1,000 rows" in answer.err


def test_control_c_leaves_no_process(filled: Product) -> None:
    process = filled.start("sql", "SELECT count(*) FROM range(1000000) a, range(1000000) b", "--timeout", "60")
    while not (children := _children_of(process.pid)):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    deadline = time.monotonic() + 10
    while any(_is_alive(child) for child in children):
        assert time.monotonic() < deadline
    assert _children_of(process.pid) == []


def test_a_query_ends_in_its_time_even_where_whoever_asked_was_killed(filled: Product) -> None:
    process = filled.start("sql", "SELECT count(*) FROM range(1000000) a, range(1000000) b", "--timeout", "1")
    while not (children := _children_of(process.pid)):
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 60
    while any(_is_alive(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(process: int) -> bool:
    """Whether it runs; a corpse that its new parent has not buried yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children_of(process: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]
