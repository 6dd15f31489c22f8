"""A second run does only what has to be done, and says why, for every way in which the world can change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from product import Product, ProductHere


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


def reasons(product: Product) -> dict[str, str]:
    """The newest decision about every file."""
    return {file["path"]: file["reason"] for file in product("files", "--all", "--json", expect=[0]).json["files"]}


def values(product: Product, table: str, column: str = "id") -> list[Any]:
    return sorted(product.table(table)[column].to_pylist())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "sales_1.csv").write_text("id,amount\n1,1.5\n2,2.5\n")
    (folder / "sales_2.csv").write_text("id,amount\n3,3.5\n")
    return folder


@pytest.mark.invariant(1)
def test_a_second_run_does_nothing_and_says_so(product: Product, data: Path) -> None:
    product.run(str(data))
    before = sorted(path for path in product.home.rglob("*.parquet"))
    reply = product.run(str(data), expect=[0])
    assert reply["run"] == 0
    assert reply["skipped"] == {"up_to_date": 2}
    assert sorted(path for path in product.home.rglob("*.parquet")) == before


@pytest.mark.invariant(1)
def test_an_edited_file_alone_runs_again_and_its_old_bytes_bring_the_old_rows_back_once(
    product: Product, data: Path
) -> None:
    product.run(str(data))
    (data / "sales_2.csv").write_text("id,amount\n4,4.5\n")
    assert product.run(str(data))["run"] == 1
    assert reasons(product) == {"sales_1.csv": "up_to_date", "sales_2.csv": "bytes_changed"}
    assert values(product, "sales") == [1, 2, 4]
    (data / "sales_2.csv").write_text("id,amount\n3,3.5\n")
    assert product.run(str(data))["run"] == 1
    assert values(product, "sales") == [1, 2, 3]


def test_a_touched_file_with_the_same_bytes_is_up_to_date(product: Product, data: Path) -> None:
    product.run(str(data))
    os.utime(data / "sales_1.csv", ns=(1, 1))
    assert product.run(str(data))["skipped"] == {"up_to_date": 2}


def test_the_same_bytes_at_two_paths_are_read_once_and_outlive_either(product: Product, data: Path) -> None:
    product.run(str(data))
    (data / "sales_copy.csv").write_bytes((data / "sales_1.csv").read_bytes())
    assert product.run(str(data))["run"] == 0
    assert values(product, "sales") == [1, 2, 3]
    (data / "sales_1.csv").write_text("id,amount\n9,9.5\n")
    product.run(str(data))
    assert values(product, "sales") == [1, 2, 3, 9]


def test_a_deleted_file_keeps_its_rows(product: Product, data: Path) -> None:
    product.run(str(data))
    (data / "sales_2.csv").unlink()
    product.run(str(data), expect=[0])
    assert reasons(product)["sales_2.csv"] == "source_missing"
    assert values(product, "sales") == [1, 2, 3]


def test_a_renamed_file_is_not_read_again(product: Product, data: Path) -> None:
    product.run(str(data))
    (data / "sales_2.csv").rename(data / "sales_9.csv")
    assert product.run(str(data))["run"] == 0
    assert values(product, "sales") == [1, 2, 3]


def test_a_file_that_is_renamed_and_then_edited_shows_its_new_rows_alone(product: Product, data: Path) -> None:
    product.run(str(data))
    (data / "sales_2.csv").rename(data / "sales_9.csv")
    product.run(str(data))
    (data / "sales_9.csv").write_text("id,amount\n7,7.5\n")
    assert product.run(str(data))["run"] == 1
    assert values(product, "sales") == [1, 2, 7]


def test_force_reads_everything_again_and_no_row_appears_twice(product: Product, data: Path) -> None:
    product.run(str(data))
    assert product.run(str(data), "--force")["run"] == 2
    assert set(reasons(product).values()) == {"forced"}
    assert values(product, "sales") == [1, 2, 3]


def test_changed_parser_code_options_and_sink_are_each_a_reason_of_their_own(
    product: Product, data: Path, tmp_path: Path
) -> None:
    parser = tmp_path / "own.py"
    code = "def parse(path):\n    yield 'own', [{'id': %d}]\n"
    parser.write_text(code % 1)
    arguments = [str(data / "sales_1.csv"), "--parser", str(parser)]
    product.run(*arguments)
    assert product.run(*arguments)["run"] == 0
    parser.write_text(code % 2)
    product.run(*arguments)
    assert reasons(product)["sales_1.csv"] == "parser_changed"
    assert values(product, "own") == [2]
    product.run(*arguments, "--table", "other")
    assert reasons(product)["sales_1.csv"] == "config_changed"
    product.run(*arguments, "--table", "other", "--sink", f"parquet://{tmp_path / 'elsewhere'}")
    assert reasons(product)["sales_1.csv"] == "target_changed"
    assert product.run(*arguments, "--table", "other")["run"] == 0


def test_a_sink_that_missed_a_change_of_the_parser_is_not_taken_for_up_to_date(
    product: Product, data: Path, tmp_path: Path
) -> None:
    parser = tmp_path / "own.py"
    code = "def parse(path):\n    yield 'own', [{'id': %d}]\n"
    parser.write_text(code % 1)
    arguments = [str(data / "sales_1.csv"), "--parser", str(parser)]
    elsewhere = f"parquet://{tmp_path / 'elsewhere'}"
    product.run(*arguments)
    product.run(*arguments, "--sink", elsewhere)
    parser.write_text(code % 2)
    product.run(*arguments, "--sink", elsewhere)
    assert values(product, "own") == [1]
    assert product.run(*arguments)["run"] == 1
    assert values(product, "own") == [2]


def test_replace_supersedes_what_the_plan_does_not_hold_and_keeps_what_is_up_to_date(
    product: Product, data: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "sales_0.csv").write_text("id,amount\n100,1.5\n")
    product.run(str(old))
    product.run(str(data), "--mode", "replace")
    assert values(product, "sales") == [1, 2, 3]
    (data / "sales_2.csv").write_text("id,amount\n4,4.5\n")
    assert product.run(str(data), "--mode", "replace")["run"] == 1
    assert values(product, "sales") == [1, 2, 4]


def test_a_replacement_takes_rows_out_of_tables_that_it_brings_nothing_to(
    product: Product, data: Path, tmp_path: Path
) -> None:
    parser = tmp_path / "own.py"
    parser.write_text("def parse(path):\n    yield 'before', {'id': [1]}\n")
    arguments = [str(data / "sales_1.csv"), "--parser", str(parser), "--mode", "replace"]
    product.run(*arguments)
    parser.write_text("def parse(path):\n    yield 'after', {'id': [1]}\n")
    product.run(*arguments)
    assert values(product, "after") == [1]
    assert product.table("before").num_rows == 0


def test_outputs_whose_names_mean_one_table_land_there_together(product: Product, data: Path, tmp_path: Path) -> None:
    parser = tmp_path / "own.py"
    parser.write_text(
        "from casparian_flow.sdk import Rejected\n"
        "def parse(path):\n"
        "    yield Rejected('Own', 'own.unreadable', 'no', start=0, end=1)\n"
        "    yield 'own', {'id': [1, 2]}\n"
    )
    reply = product.run(str(data / "sales_1.csv"), "--parser", str(parser))
    assert (reply["accepted"], reply["quarantined"], reply["failures"]) == (2, 1, [])
    assert values(product, "own") == [1, 2]


@pytest.mark.parametrize("raw_bytes", [10, 1 << 19], ids=["small", "streamed"])
def test_records_that_could_not_be_read_wait_with_the_rows_of_the_table_that_they_mean(
    product_here: Product, data: Path, tmp_path: Path, raw_bytes: int
) -> None:
    parser = tmp_path / "own.py"
    parser.write_text(
        "from casparian_flow.sdk import Rejected\n"
        "def parse(path):\n"
        "    for number in range(20):\n"
        f"        yield Rejected('Own', 'own.unreadable', 'no', locator=str(number), raw=b'r' * {raw_bytes})\n"
        "    yield 'own', {'id': [1, 2]}\n"
        "    yield Rejected('own', 'own.unreadable', 'no', start=0, end=1)\n"
    )
    reply = product_here.run(str(data), "--parser", str(parser))
    files = reply["run"]
    assert files > 1
    assert (reply["accepted"], reply["quarantined"], reply["failures"]) == (2 * files, 21 * files, [])
    receipt = product_here("jobs", "receipt", "@last", "--json").json["receipt"]
    places = [(output["table"], output["role"], output["rows"]) for output in receipt["outputs"]]
    assert sorted(places) == [("own", "accepted", 2), ("own", "quarantine", 21)]


def test_a_declared_contract_holds_whatever_the_case_of_its_name(product: Product, data: Path, tmp_path: Path) -> None:
    parser = tmp_path / "own.py"
    parser.write_text(
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        "MANIFEST = PluginMetadata(outputs={'LoginEvents': [Column('id', 'int64')]})\n"
        "def parse(path):\n    yield 'LoginEvents', {'id': ['1', 'x']}\n"
    )
    reply = product.run(str(data / "sales_1.csv"), "--parser", str(parser))
    assert (reply["accepted"], reply["quarantined"]) == (1, 1)
    assert values(product, "login_events") == [1]


def test_a_declared_contract_holds_for_tables_that_are_named_by_their_files(
    product: Product, data: Path, tmp_path: Path
) -> None:
    parser = tmp_path / "own.py"
    parser.write_text(
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        "MANIFEST = PluginMetadata(tables='file', outputs={'': [Column('id', 'int64')], 'x': [Column('n', 'int64')]})\n"
        "def parse(path):\n    yield '', {'id': ['1', 'x']}\n    yield 'x', {'n': ['2', 'y']}\n"
    )
    reply = product.run(str(data / "sales_1.csv"), "--parser", str(parser))
    assert (reply["accepted"], reply["quarantined"]) == (2, 2)
    assert (values(product, "sales"), values(product, "sales__x", "n")) == ([1], [2])


def test_a_file_that_fails_in_a_replacement_does_not_take_the_others_away(
    product: Product, data: Path, tmp_path: Path
) -> None:
    parser = tmp_path / "own.py"
    parser.write_text(
        "def parse(path):\n"
        "    if 'bad' in path.read_text():\n        raise ValueError('bad')\n"
        "    yield 'own', [{'id': int(n)} for n in path.read_text().split()]\n"
    )
    (data / "sales_1.csv").write_text("1 2")
    (data / "sales_2.csv").write_text("3")
    product.run(str(data), "--parser", str(parser))
    (data / "sales_3.csv").write_text("bad")
    reply = product.run(str(data), "--parser", str(parser), "--mode", "replace", expect=[3])
    assert [failure["path"] for failure in reply["failures"]] == ["sales_3.csv"]
    assert values(product, "own") == [1, 2, 3]


def test_error_mode_refuses_a_table_that_has_rows(product: Product, data: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "sales_5.csv").write_text("id,amount\n5,5.5\n")
    product.run(str(data), "--mode", "error")
    answer = product("run", str(more), "--mode", "error", "--json", expect=[1])
    assert "output-exists" in answer.out + answer.err
    assert values(product, "sales") == [1, 2, 3]


def test_the_table_can_be_named(product: Product, data: Path) -> None:
    product.run(str(data), "--table", "orders")
    assert product.tables() == ["orders"]


def test_a_target_that_was_emptied_is_refused_and_not_called_up_to_date(
    product: Product, data: Path, tmp_path: Path
) -> None:
    product.run(str(data))
    (product.home / "outputs").rename(tmp_path / "elsewhere")
    for arguments in ([], ["--force"]):
        answer = product("run", str(data), *arguments, "--json", expect=[7])
        assert "has lost commits" in answer.out + answer.err
    product.run(str(data), "--sink", f"parquet://{tmp_path / 'other'}")
    (tmp_path / "elsewhere").rename(product.home / "outputs")
    assert product.run(str(data))["run"] == 0
    assert values(product, "sales") == [1, 2, 3]


def test_the_table_can_be_named_in_the_sink(product: Product, data: Path) -> None:
    sink = f"parquet://{product.home.parent}/out"
    product.run(str(data), "--sink", sink)
    reply = product.run(str(data), "--sink", f"{sink}?table=orders")
    assert (reply["sinks"], [table["table"] for table in reply["tables"]]) == ([sink], ["orders"])
    assert product.table("orders", sink=sink).num_rows == 3
    answer = product("run", str(data), "--sink", f"{sink}?table=orders", "--table", "sales", "--json", expect=[2])
    assert "name the table once" in answer.out + answer.err


def test_a_name_that_cannot_be_a_table_is_refused_before_anything_runs(product: Product, data: Path) -> None:
    product("run", str(data), "--table", "Two Words", "--json", expect=[2])
    assert product("jobs", "--json").json["jobs"] == []


def test_a_held_first_contract_waits_for_approval_and_leaves_nothing_staged(product: Product, data: Path) -> None:
    reply = product.run(str(data), "--first-contract", "hold", expect=[4])
    [waiting] = reply["waiting"]
    assert product.tables() == []
    assert list(product.home.rglob("*.parquet")) == []
    assert not (product.home / "staging").exists()
    product.run(str(data), expect=[0, 4])
    assert set(reasons(product).values()) == {"awaiting_approval"}
    product("contract", "approve", str(waiting["contract"]), "--yes", expect=[0])
    assert product.run(str(data), expect=[0])["run"] == 2
    assert values(product, "sales") == [1, 2, 3]


def test_a_file_over_tolerance_is_held_until_it_is_tolerated_or_forced(product: Product, data: Path) -> None:
    product.run(str(data))
    (data / "sales_3.csv").write_text("id,amount\n5,x\n6,6.5\n")
    reply = product.run(str(data), "--tolerance", "0.1", expect=[3])
    assert reply["failures"][0]["code"] == "over-tolerance"
    assert values(product, "sales") == [1, 2, 3]
    product.run(str(data), "--tolerance", "0.1", expect=[0])
    assert reasons(product)["sales_3.csv"] == "held_by_policy"
    product.run(str(data), "--tolerance", "0.1", "--force", expect=[3])
    assert values(product, "sales") == [1, 2, 3]
    assert product.run(str(data), expect=[3])["run"] == 1
    assert values(product, "sales") == [1, 2, 3, 6]


def test_a_saved_plan_runs_as_it_is_or_not_at_all(product: Product, data: Path) -> None:
    plan = product("plan", str(data), "--json", expect=[0]).json["plan"]
    (data / "sales_3.csv").write_text("id,amount\n7,7.5\n")
    assert '"plan-stale"' in product("run", "--plan", plan, "--json", expect=[1]).err
    assert product.tables() == []
    plan = product("plan", str(data), "--json", expect=[0]).json["plan"]
    assert product.run("--plan", plan)["run"] == 3


def test_drift_rescues_new_columns_fills_missing_ones_and_quarantines_what_does_not_fit(
    product: Product, data: Path
) -> None:
    product.run(str(data))
    (data / "sales_3.csv").write_text("id,amount,note\n5,5.5,hello\n")
    (data / "sales_4.csv").write_text("id\n6\n")
    (data / "sales_5.csv").write_text("id,amount\n7,many\n8,8.5\n")
    reply = product.run(str(data), expect=[3])
    assert (reply["accepted"], reply["quarantined"], reply["rescued"]) == (3, 1, 1)
    rows = {row["id"]: row for row in product.table("sales").to_pylist()}
    assert rows[5]["_cf_rescued"][0]["raw"] == "hello"
    assert rows[6]["amount"] is None
    assert sorted(rows) == [1, 2, 3, 5, 6, 8]
    drift = product("sql", "SELECT axis, column_name, rows FROM schema_drift ORDER BY 1", "--json").json["rows"]
    assert [(row["axis"], row["column_name"], row["rows"]) for row in drift] == [
        ("missing_column", "amount", 1),
        ("new_column", "note", 1),
        ("type", "amount", 1),
    ]


def test_an_empty_file_that_ends_last_does_not_keep_the_others_waiting(product: Product, data: Path) -> None:
    for number in range(3, 9):
        (data / f"sales_{number}.csv").write_text(f"id,amount,c{number}\n")
    reply = product.run(str(data), "--workers", "1", expect=[0])
    assert (reply["completed"], reply["accepted"]) == (8, 3)
