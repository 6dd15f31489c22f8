"""Commands that no other suite runs to their effect."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from product import Product, ProductHere


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


@pytest.fixture
def ran(product: Product, tmp_path: Path) -> Product:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sales.csv").write_text("id,amount\n1,2.5\n2,3.5,too,many\n")
    product.run(str(tmp_path / "in"))
    return product


def test_a_setting_that_is_set_is_got_and_shown_with_its_origin(product: Product) -> None:
    product("config", "set", "run.workers", "3", expect=[0])
    assert product("config", "get", "run.workers", "--json", expect=[0]).json["value"] == 3
    shown = product("config", "show", "--json", expect=[0]).out
    assert '"run.workers"' in shown and str(product.home / "config.toml") in shown


def test_a_quarantine_group_is_shown_with_its_rows_and_exported(ran: Product, tmp_path: Path) -> None:
    group = ran("quarantine", "list", "--json", expect=[0]).json["groups"][0]["group"]
    assert "2,3.5,too,many" in ran("quarantine", "show", group, "--json", expect=[0]).out
    ran("quarantine", "export", group, str(tmp_path / "bad.parquet"), expect=[0])
    assert pq.read_table(tmp_path / "bad.parquet")["raw"].to_pylist() == [b"2,3.5,too,many\n"]


def test_tables_lists_outputs_with_their_quarantine_and_the_columns_of_one(ran: Product) -> None:
    listed = {each["table"]: each["kind"] for each in ran("tables", "--json", expect=[0]).json["tables"]}
    assert listed["sales"] == "output" and listed["quarantine.sales"] == "quarantine"
    assert "_cf_source_row" in ran("tables", "sales", "--json", expect=[0]).out


def test_a_rule_is_shown_with_the_files_it_would_tag(ran: Product) -> None:
    ran("rules", "add", "*.csv", "--tag", "money", expect=[0])
    assert "*.csv" in ran("rules", "show", "1", "--json", expect=[0]).out


def test_inspect_says_what_a_file_is_without_a_home(product: Product, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;name\n1;x\n2;y\n")
    assert "delimited" in product("inspect", str(tmp_path / "a.csv"), "--json", expect=[0]).out
    assert not product.home.exists()


def test_a_source_leaves_out_what_it_is_told_to(ran: Product, tmp_path: Path) -> None:
    (tmp_path / "in" / "scratch.csv").write_text("id\n1\n")
    ran("source", "ignore", "1", "scratch.*", expect=[0])
    assert "scratch.*" in ran("source", "list", "--json", expect=[0]).out
    ran.run(str(tmp_path / "in"))
    assert ran.tables() == ["sales"]


@pytest.mark.parametrize("plan", ["abc", "", "-1", "9" * 19, "9" * 40])
def test_a_plan_that_cannot_be_is_refused_and_nothing_else_is_run(product: Product, tmp_path: Path, plan: str) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    product("run", str(tmp_path / "a.csv"), f"--plan={plan}", "--json", expect=[2, 5])
    assert product.tables() == []


@pytest.mark.parametrize("verb", ["preview", "infer"])
def test_an_option_that_the_parser_lacks_is_refused(product: Product, tmp_path: Path, verb: str) -> None:
    (tmp_path / "a.csv").write_text("id;n\n1;2\n")
    answer = product(verb, str(tmp_path / "a.csv"), "--option", "delimeter=;", expect=[2])
    assert "delimiter" in answer.err


def test_one_value_that_rules_out_many_types_is_said_once(product: Product, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n2\n")
    said = product("infer", str(tmp_path / "a.csv"), "--explain", "--format", "table", expect=[0]).out
    assert said.count("id is not ") == 1
    assert "boolean, " in said
    assert said.rstrip().endswith("row 1 is '1'")


def test_an_empty_path_is_not_taken_for_this_folder(product: Product) -> None:
    assert "a path is empty" in product("run", "", expect=[2]).err


@pytest.mark.parametrize("command", [["contract", "approve", "9" * 19, "--yes"], ["sql", "--timeout=1e30", "SELECT 1"]])
def test_a_number_past_every_bound_is_refused(product: Product, command: list[str]) -> None:
    assert "not in the range" in product(*command, expect=[2]).err


def test_a_record_past_every_bound_is_not_found(ran: Product, tmp_path: Path) -> None:
    ran("why", f"{tmp_path / 'in' / 'sales.csv'}:{'9' * 30}", expect=[5])
