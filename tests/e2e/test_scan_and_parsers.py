"""Looking before running: scans, sources that leave paths out, and parsers that are checked and tried."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from product import Product, ProductHere

MANIFEST = "from casparian_flow.sdk import PluginMetadata\nMANIFEST = PluginMetadata(pattern='*.num', version='3')\n"
COUNTS = MANIFEST + "def parse(path):\n    yield 'numbers', [{'n': int(line)} for line in open(path)]\n"


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    (folder / "cache").mkdir(parents=True)
    (folder / "a.csv").write_text("x,y\n1,2\n3,4\n")
    (folder / "b.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    (folder / "cache" / "c.csv").write_text("x,y\n5,6\n")
    os.mkfifo(folder / "pipe")
    return folder


def test_a_scan_counts_and_hashes_but_runs_nothing(product: Product, folder: Path) -> None:
    found = product("scan", str(folder), "--sha256", "--json", expect=[0]).json
    assert (found["entries"], found["new"], found["files_read"], found["unreadable"]) == (4, 4, 3, 0)
    assert found["content"] == {"delimited": 2, "fifo": 1, "jsonl": 1}
    assert [problem["kind"] for problem in found["problems"]] == ["fifo"]
    (folder / "a.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    (folder / "b.jsonl").unlink()
    again = product("scan", "--json", expect=[0]).json
    assert (again["new"], again["changed"], again["missing"], again["new_versions"]) == (0, 1, 1, 1)
    assert product("jobs", "--json", expect=[0]).json["jobs"] == []
    hashed = product("sql", "SELECT count(sha256) AS hashed FROM cf_file_version", "--json", expect=[0]).json["rows"]
    assert hashed == [{"hashed": 3}]


def test_a_scan_says_what_could_not_be_read_and_why(product: Product, folder: Path) -> None:
    (folder / "a.csv").chmod(0)
    if os.access(folder / "a.csv", os.R_OK):
        pytest.skip("this user may read everything")
    answer = product("scan", str(folder), "--problems", "--json", expect=[3])
    assert ("a.csv", True) in [(Path(p["path"]).name, p["keeps_from_reading"]) for p in answer.json["problems"]]


def test_a_source_leaves_out_what_it_was_told_to(product: Product, folder: Path) -> None:
    product("scan", str(folder), expect=[0])
    changed = product("source", "ignore", str(folder), "cache/", "*.jsonl", "--json", expect=[0]).json
    assert changed["ignore"] == ["cache/", "*.jsonl"]
    assert product("scan", "--json", expect=[0]).json["content"] == {"ignored": 3, "delimited": 1, "fifo": 1}
    assert product.run()["tables"][0]["table"] == "a"
    assert product("source", "ignore", "1", "--replace", "--json", expect=[0]).json["ignore"] == []
    assert product("source", "ignore", "9", "x").code == 5
    assert [each["ignore"] for each in product("sources", "--json").json["sources"]] == [[]]


def test_overlapping_sources_are_told_of(product: Product, folder: Path) -> None:
    product("scan", str(folder), expect=[0])
    answer = product("run", str(folder / "cache"), "--json", expect=[0])
    assert "overlaps source 1" in answer.json["warnings"][0]
    assert "note: " in answer.err


def test_parsers_are_listed_before_any_run_and_broken_ones_say_why(product: Product) -> None:
    plugins = product.home / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "counts.py").write_text(COUNTS)
    (plugins / "broken.py").write_text("def parse(path:\n")
    found = {each["name"]: each for each in product("parser", "list", "--json", expect=[0]).json["parsers"]}
    assert (found["delimited"]["status"], found["delimited"]["jobs"]) == ("active", 0)
    assert (found["counts"]["status"], found["counts"]["version"]) == ("pending", "3")
    assert found["broken"]["status"] == "broken"
    assert found["broken"]["error"]
    assert {each["status"] for each in found.values() if each["origin"] == "shipped"} == {"active"}


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [(COUNTS, 0, "nothing is refused"), ("import ctypes\n" + COUNTS, 7, "ctypes"), ("x = 1\n", 2, "error")],
)
def test_a_check_ends_as_the_source_deserves(
    product: Product, tmp_path: Path, source: str, code: int, says: str
) -> None:
    (tmp_path / "mine.py").write_text(source)
    answer = product("parser", "check", "mine.py", "-f", "table", cwd=tmp_path, expect=[code])
    assert says in answer.out
    assert "static hints, not a boundary" in answer.out


def test_a_parser_is_tried_on_its_cases_in_a_guest(product: Product, tmp_path: Path) -> None:
    case = tmp_path / "counts" / "cases" / "two"
    case.mkdir(parents=True)
    (tmp_path / "counts" / "parser.py").write_text(COUNTS)
    (case / "input.num").write_text("1\n2\n")
    (case / "expected.jsonl").write_text('{"_output": "numbers", "n": 1}\n{"_output": "numbers", "n": 2}\n')
    passed = product("parser", "test", "counts", "--json", cwd=tmp_path, expect=[0]).json["tried"][0]
    assert (passed["name"], passed["outcome"], passed["rows"]) == ("two", "passed", {"numbers": 2})
    (case / "expected.jsonl").write_text('{"_output": "numbers", "n": 1}\n{"_output": "numbers", "n": 3}\n')
    other = product("parser", "test", "counts", "--json", cwd=tmp_path, expect=[7]).json["tried"][0]
    assert (len(other["missing"]), len(other["unexpected"])) == (1, 1)
    assert '"n": 3' in other["missing"][0]
    (case / "input.num").write_text("one\n")
    failed = product("parser", "test", "counts", "--json", cwd=tmp_path, expect=[1]).json["tried"][0]
    assert "ValueError" in failed["error"]


def test_a_shipped_parser_passes_its_cases_in_a_guest(product: Product) -> None:
    tried = product("parser", "test", "jsonl", "--json", expect=[0]).json["tried"]
    assert {each["outcome"] for each in tried} == {"passed"}


def test_a_parser_is_tried_on_a_file(product: Product, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3\n")
    tried = product("parser", "test", "delimited", "-i", "x.csv", "--json", cwd=tmp_path, expect=[0]).json["tried"]
    assert [(each["outcome"], each["rows"], each["rejected"]) for each in tried] == [("read", {"x": 1}, {"x": 1})]


def test_words_for_null_are_an_option_of_a_run(product: Product, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,NULL\n2,5\n3,NA\n")
    product.run(str(tmp_path / "x.csv"), "--option", "null=NULL,NA", expect=[0])
    assert product.table("x")["b"].to_pylist() == [None, 5, None]
