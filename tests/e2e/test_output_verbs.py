"""Export, profile and trace as commands over a home with real commits, in this process, with their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from casparian_flow.clients.cli.root import run
from product import ProductHere


@dataclass(frozen=True)
class Landed:
    """A home with one table; two copies were edited after the first run. `jobs` are the oldest of each path."""

    home: Path
    data: Path
    jobs: dict[str, str]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    folder = tmp_path_factory.mktemp("landed")
    data = folder / "data"
    data.mkdir()
    product = ProductHere(folder / "home")
    (data / "sales_1.csv").write_text("id,amount,who\n1,1.5,=SUM(A1)\n2,2.5,ann\n")
    (data / "sales_2.csv").write_text("id,amount,who\n3,3.5,bob\n4,4.5,bob,5\n")
    (data / "copy_of_1.csv").write_bytes((data / "sales_1.csv").read_bytes())
    product.run(str(data), "--table", "sales")
    (data / "sales_1.csv").write_text("id,amount,who\n7,,bob\n")
    (data / "copy_of_1.csv").write_bytes((data / "sales_1.csv").read_bytes())
    product.run(str(data), "--table", "sales")
    jobs = {job["path"]: job["job"] for job in product("jobs", "--all", "--json").json["jobs"]}
    return Landed(product.home, data, jobs)


Ask = Callable[..., Any]


@pytest.fixture
def ask(landed: Landed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ask:
    """What a command line answers: its exit code, its output, and what it said beside."""
    monkeypatch.chdir(tmp_path)

    def ask(*words: str, expect: int = 0) -> str:
        code = run(["--home", str(landed.home), *words])
        out, err = capfd.readouterr()
        assert code == expect, f"{words} ended with {code}\n{out}\n{err}"
        return out if expect == 0 else err

    return ask


def test_each_format_of_an_export_holds_the_same_rows_with_their_lineage(ask: Ask, tmp_path: Path) -> None:
    for kind in ("parquet", "csv", "jsonl", "duckdb"):
        assert json.loads(ask("export", "sales", "--format", kind, "--json"))["rows"] == 2
    rows = pq.read_table("sales.parquet").to_pylist()
    assert sorted(row["id"] for row in rows) == [3, 7]
    assert all(row["_cf_source_hash"].startswith("blake3:") for row in rows)
    with duckdb.connect("sales.duckdb", read_only=True) as connection:
        assert sorted(connection.execute("SELECT id, amount FROM sales").fetchall()) == [(3, 3.5), (7, None)]
    assert sorted(pa_csv.read_csv("sales.csv")["id"].to_pylist()) == [3, 7]
    assert sorted(json.loads(line)["id"] for line in Path("sales.jsonl").read_text().splitlines()) == [3, 7]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "sales.csv", "sales.duckdb", "sales.jsonl", "sales.parquet",
    ]  # fmt: skip


def test_an_export_never_overwrites_unless_it_is_told_to(ask: Ask) -> None:
    Path("mine.csv").write_text("mine")
    assert "exists already" in ask("export", "sales", "--to", "mine.csv", expect=2)
    assert Path("mine.csv").read_text() == "mine"
    ask("export", "sales", "--to", "mine.csv", "--overwrite")
    assert Path("mine.csv").read_text().startswith('"id"')


def test_an_export_shows_a_past_moment_by_snapshot_and_by_job_and_the_quarantine(ask: Ask, landed: Landed) -> None:
    commits = json.loads(ask("output", "history", "sales", "--json"))["commits"]
    first = next(each for each in reversed(commits) if each["rows"] == 3)
    for moment in (str(first["snapshot"]), first["job"]):
        out = ask("export", "sales", "--as-of", moment, "--to", "-", "--format", "jsonl")
        assert sorted(json.loads(line)["id"] for line in out.splitlines()) == [1, 2, 3]
    [rejected] = ask("export", "sales", "--quarantine", "--to", "-", "--format", "jsonl").splitlines()
    assert json.loads(rejected)["code"] == "cf.csv.arity"
    assert "no snapshot" in ask("export", "sales", "--as-of", "999", expect=5)


def test_a_moment_counted_from_the_end_is_one_of_jobs_and_the_help_says_so(ask: Ask) -> None:
    jobs = [each["job"] for each in json.loads(ask("jobs", "--all", "--json"))["jobs"]]
    for moment, job in (("@last", jobs[0]), ("@-1", jobs[1])):
        shown = [ask("export", "sales", "--as-of", each, "--to", "-", "--format", "csv") for each in (moment, job)]
        assert shown[0] == shown[1]
    for command in ("sql", "export"):
        assert "then; @last and @-1 are jobs of the whole home." in " ".join(ask(command, "--help").split())


def test_redacted_columns_stay_without_values_and_formulas_are_guarded(ask: Ask, landed: Landed) -> None:
    [first, *_] = ask("export", "sales", "--redact", "who,amount", "--to", "-", "--format", "jsonl").splitlines()
    assert (json.loads(first)["who"], json.loads(first)["amount"]) == (None, None)
    assert "no column 'nobody'" in ask("export", "sales", "--redact", "nobody", expect=2)
    guarded = ask("export", "sales", "--csv-safe", "--as-of", landed.jobs["copy_of_1.csv"], "--to", "-")
    assert "'=SUM(A1)" in guarded
    assert "is about CSV" in ask("export", "sales", "--csv-safe", "--to", "a.jsonl", expect=2)


def test_an_export_of_nothing_known_ends_with_5_and_a_suggestion(ask: Ask) -> None:
    assert "did you mean sales?" in ask("export", "sale", expect=5)
    assert "not in parquet://" in ask("export", "sales", "--sink", "parquet://elsewhere", expect=5)


def test_a_profile_counts_what_the_columns_hold(ask: Ask) -> None:
    columns = json.loads(ask("tables", "sales", "--profile", "--json"))["columns"]
    found = {each["column"]: each for each in columns}
    assert list(found) == ["id", "amount", "who", "_cf_rescued"]
    assert {name: (each["rows"], each["count"], each["nulls"], each["distinct"]) for name, each in found.items()} == {
        "id": (2, 2, 0, 2), "amount": (2, 1, 1, 1), "who": (2, 2, 0, 1), "_cf_rescued": (2, 0, 2, 0),
    }  # fmt: skip
    who = found["who"]
    assert (who["min"], who["max"], who["top"], who["top_counts"], who["min_length"]) == ("bob", "bob", ["bob"], [2], 3)
    assert (found["id"]["min"], found["id"]["max"], found["id"]["type"]) == ("3", "7", "int64")
    assert "no table nothing" in ask("tables", "nothing", "--profile", expect=5)


def graph(out: str) -> tuple[dict[str, dict[str, Any]], set[tuple[str, str]]]:
    reply = json.loads(out)
    nodes = {node["id"]: node for node in reply["nodes"]}
    assert {edge["start"] for edge in reply["edges"]} | {edge["end"] for edge in reply["edges"]} <= nodes.keys()
    assert set(reply["roots"]) <= nodes.keys()
    return nodes, {(edge["start"].split(" ")[0], edge["end"].split(" ")[0]) for edge in reply["edges"]}


UPWARDS = {
    ("row", "job"), ("job", "parser"), ("parser", "environment"), ("job", "bytes"), ("bytes", "file"),
    ("row", "table"), ("row", "contract"), ("row", "commit"),
}  # fmt: skip


def test_a_row_leads_up_to_its_bytes_by_every_address(ask: Ask, landed: Landed) -> None:
    by_file = ask("trace", f"{landed.data}/sales_2.csv:1", "--json")
    nodes, edges = graph(by_file)
    assert edges == UPWARDS
    [row] = [node for node in nodes.values() if node["kind"] == "row"]
    assert row["facts"]["values"] == {"id": "3", "amount": "3.5", "who": "bob", "_cf_rescued": None}
    address = row["facts"]["row"]
    again = json.loads(ask("trace", address, "--json"))
    by_job = json.loads(ask("trace", f"sales:{landed.jobs['sales_2.csv']}:1", "--up", "--json"))
    assert again["nodes"] == by_job["nodes"] == json.loads(by_file)["nodes"]
    assert address in ask("why", f"{landed.data}/sales_2.csv:1")


def test_a_rejected_row_shows_its_bytes_and_where_they_stand(ask: Ask, landed: Landed) -> None:
    nodes, _edges = graph(ask("trace", f"{landed.data}/sales_2.csv:2", "--json"))
    [facts] = [node["facts"] for node in nodes.values() if node["kind"] == "row"]
    data = (landed.data / "sales_2.csv").read_bytes()
    assert facts["raw"].encode() == data[facts["start"] : facts["end"]] == b"4,4.5,bob,5\n"
    assert facts["role"] == "quarantine" and "4 fields" in facts["message"]
    group = json.loads(ask("quarantine", "--json"))["groups"][0]["group"]
    assert json.loads(ask("quarantine", "show", group, "--json"))["rows"][0]["row"] == facts["row"]


def test_a_row_that_was_superseded_is_found_by_its_job(ask: Ask, landed: Landed) -> None:
    job = landed.jobs["copy_of_1.csv"]
    nodes, _edges = graph(ask("trace", f"sales:{job}:2", "--json"))
    [facts] = [node["facts"] for node in nodes.values() if node["kind"] == "row"]
    assert facts["values"]["who"] == "ann"


def test_a_file_leads_down_to_the_rows_of_all_its_versions(ask: Ask, landed: Landed) -> None:
    nodes, edges = graph(ask("trace", str(landed.data / "sales_1.csv"), "--json"))
    assert edges == {("file", "bytes"), ("bytes", "job"), ("job", "table"), ("job", "contract"), ("job", "commit")}
    assert len([node for node in nodes.values() if node["kind"] == "bytes"]) == 2
    tree = ask("trace", str(landed.data / "sales_1.csv"))
    assert "held bytes" in tree and "holds bytes" in tree and "not shown now" in tree
    _nodes, edges = graph(ask("trace", str(landed.data / "sales_1.csv"), "--up", "--json"))
    assert edges == {("file", "bytes"), ("bytes", "file")}


def test_a_job_leads_both_ways_and_a_table_up(ask: Ask, landed: Landed) -> None:
    _nodes, both = graph(ask("trace", landed.jobs["sales_2.csv"], "--json"))
    assert both == {
        ("job", "parser"), ("parser", "environment"), ("job", "bytes"), ("bytes", "file"),
        ("job", "table"), ("job", "contract"), ("job", "commit"),
    }  # fmt: skip
    nodes, _edges = graph(ask("trace", "sales", "--json"))
    assert {Path(node["title"]).name for node in nodes.values() if node["kind"] == "file"} >= {
        "sales_1.csv",
        "sales_2.csv",
    }


def test_a_chart_names_every_node_and_holds_no_markup(ask: Ask, landed: Landed) -> None:
    lines = ask("trace", "sales", "--as", "mermaid").splitlines()
    assert lines[0] == "flowchart LR"
    assert all(line.count('"') == 2 for line in lines[1:])


def test_what_cannot_be_traced_ends_with_a_code_and_a_way_on(ask: Ask, landed: Landed) -> None:
    assert "did you mean sales?" in ask("trace", "salse", expect=5)
    assert "numbered from 1" in ask("trace", f"{landed.data}/sales_2.csv:99", expect=5)
    assert "numbered from 1" in ask("trace", f"sales:{landed.jobs['sales_2.csv']}:99", expect=5)
    assert "exclude each other" in ask("trace", "sales", "--up", "--down", expect=2)
    assert "nothing comes after" in ask("trace", f"{landed.data}/sales_2.csv:1", "--down", expect=2)


def test_a_table_tells_how_to_read_it_elsewhere_and_the_lines_work(ask: Ask) -> None:
    shown = json.loads(ask("output", "show", "sales", "--json"))
    ways = {each["tool"]: each["text"] for each in shown["read"]}
    assert sorted(row[0] for row in duckdb.sql(ways["DuckDB"]).fetchall()) == [3, 7]
    scope: dict[str, Any] = {}
    *imports, expression = ways["pandas"].split("; ")
    exec("; ".join(imports), scope)
    assert sorted(eval(expression, scope)["id"]) == [3, 7]
    assert [each["name"] for each in shown["columns"]][:3] == ["id", "amount", "who"]
    assert shown["size"] > 0 and shown["output"]["contract"] == 1


def test_a_table_without_rows_is_exported_with_its_columns(product: ProductHere, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("id,amount\n1,1.5\n")
    product.run(str(tmp_path / "sales.csv"))
    product("output", "revert", "sales", "0", "--yes", expect=[0])
    out = product("export", "sales", "--to", "-", expect=[0]).out
    assert out.startswith('"id","amount","_cf_rescued","_cf_job_id"') and out.count("\n") == 1
