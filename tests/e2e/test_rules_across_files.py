"""Keys that are there once in a table, and keys of another table: the first that is committed wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from product import ProductHere

PARSER = """
import csv

from casparian_flow.sdk import Column, PluginMetadata, Rule

MANIFEST = PluginMetadata(
    outputs={"users": [Column("id", "int64"), Column("name")], "visits": [Column("user", "int64"), Column("page")]},
    rules={
        "users": [Rule("once", "unique", "id", scope="table")],
        "visits": [Rule("known", "reference", "user", table="users", references="id")],
    },
)

def parse(path):
    with open(path, newline="") as file:
        rows = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]
    yield path.name.split("_")[0], rows
"""


@pytest.fixture
def run(product_here: ProductHere, tmp_path: Path) -> Callable[..., Any]:
    """Runs the files that are given, beside those that are there, through the parser; the reply."""
    parser, data = tmp_path / "people.py", tmp_path / "data"
    parser.write_text(PARSER)
    data.mkdir()

    def read(files: dict[str, str], *arguments: str) -> Any:
        for name, text in files.items():
            (data / name).write_text(text)
        return product_here.run(str(data), "--parser", str(parser), *arguments, expect=(0, 3))

    return read


def ids(product: ProductHere, table: str, column: str, role: Role = Role.ACCEPTED) -> list[Any]:
    return sorted(row[column] for row in product.table(table, role).to_pylist())


def test_a_key_is_there_once_whatever_file_and_run_it_comes_in(
    product_here: ProductHere, run: Callable[..., Any]
) -> None:
    files = {f"users_{at}.csv": f"id,name\n{at},a\n{at // 2},b\n7,c\n" for at in range(8)}
    run(files, "--workers", "2")
    assert Counter(ids(product_here, "users", "id")) == Counter(range(8))
    run({"users_9.csv": "id,name\n3,x\n9,y\n9,z\n,n\n"})
    accepted = product_here.table("users").to_pylist()
    assert Counter(row["id"] for row in accepted) == Counter([*range(8), 9, None])
    assert {row["name"] for row in accepted if row["id"] in (9, None)} == {"y", "n"}
    messages = {row["message"] for row in product_here.table("users", Role.QUARANTINE).to_pylist()}
    assert "id: expected no other row of the table with this id (once), found '3'" in messages


@pytest.mark.slow
def test_rows_that_are_read_again_are_not_compared_with_themselves(
    product_here: ProductHere, run: Callable[..., Any]
) -> None:
    run({"users_1.csv": "id,name\n1,a\n2,b\n", "users_2.csv": "id,name\n3,c\n"})
    run({}, "--force")
    assert ids(product_here, "users", "id") == [1, 2, 3]
    run({"users_1.csv": "id,name\n2,b\n3,d\n4,e\n"})
    assert ids(product_here, "users", "id") == [2, 3, 4]
    run({"users_3.csv": "id,name\n1,again\n"})
    assert ids(product_here, "users", "id") == [1, 2, 3, 4]


def test_a_reference_is_looked_up_in_what_was_committed_before(
    product_here: ProductHere, run: Callable[..., Any]
) -> None:
    run({"users_1.csv": "id,name\n1,a\n2,b\n"})
    run({"visits_1.csv": "user,page\n1,/\n5,/x\n,/y\n2,/\n"})
    assert [row["user"] for row in product_here.table("visits").to_pylist()] == [1, None, 2]
    [rejected] = product_here.table("visits", Role.QUARANTINE).to_pylist()
    assert rejected["code"] == "cf.rule.reference"
    assert rejected["message"] == "user: expected a row of users with this id (known), found '5'"
    run({"users_2.csv": "id,name\n5,e\n", "visits_2.csv": "user,page\n6,/\n"})
    assert product_here.table("visits", Role.QUARANTINE).num_rows == 2
    run({"visits_3.csv": "user,page\n5,/late\n"})
    assert {row["page"] for row in product_here.table("visits").to_pylist() if row["user"] == 5} == {"/x", "/late"}


def test_a_table_whose_rows_are_compared_cannot_be_replaced(
    product_here: ProductHere, run: Callable[..., Any], tmp_path: Path
) -> None:
    run({"users_1.csv": "id,name\n1,a\n"})
    words = ["run", str(tmp_path / "data"), "--parser", str(tmp_path / "people.py"), "--mode", "replace", "--force"]
    refused = product_here(*words, expect=[2])
    assert "users cannot be replaced" in refused.err
    assert ids(product_here, "users", "id") == [1]


def test_a_rule_about_the_table_that_is_set_later_puts_it_right_at_once(
    product_here: ProductHere, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in {"t_1": "1,a\n2,b\n", "t_2": "2,c\n3,d\n", "t_3": "3,e\n4,f\n4,g\n"}.items():
        (folder / f"{name}.csv").write_text(f"id,name\n{text}")
    product_here("run", str(folder), "--table", "t", expect=[0])
    amend = ("contract", "amend", "t", "--reason", "keys are keys", "--json")
    ruled = product_here(*amend, "--rule", "once: unique id in table", expect=[0]).json["proposal"]["id"]
    product_here("approve", ruled, "--reason", "reviewed", expect=[0])
    assert ids(product_here, "t", "id") == [1, 2, 3, 4]
    assert product_here.table("t", Role.QUARANTINE).num_rows == 3
    [replay] = product_here("replay", "list", "--json", expect=[0]).json["replays"]
    assert (replay["stage"], replay["stop_reason"]) == ("done", None)
    (folder / "t_4.csv").write_text("id,name\n5.5,x\n1,y\n")
    product_here("run", str(folder), "--table", "t", expect=[3])
    widened = product_here(*amend, "--widen", "id:decimal(20,1)", expect=[0]).json["proposal"]["id"]
    product_here("approve", widened, "--reason", "reviewed", expect=[0])
    assert [float(each) for each in ids(product_here, "t", "id")] == [1, 2, 3, 4, 5.5]
    assert {each["stage"] for each in product_here("replay", "list", "--json").json["replays"]} == {"done"}
    assert product_here("run", str(folder), "--table", "t", "--json", expect=[0]).json["run"] == 0


@pytest.mark.slow
def test_what_refers_to_rows_that_come_later_is_read_again_by_itself_and_only_once(
    product_here: ProductHere, run: Callable[..., Any]
) -> None:
    run({"visits_1.csv": "user,page\n1,/\n5,/x\n"})
    run({"visits_2.csv": "user,page\n6,/\n"})
    assert ids(product_here, "visits", "user") == []
    assert run({"users_1.csv": "id,name\n1,a\n"})["run"] == 1
    groups = product_here("quarantine", "--json", expect=[0]).json["groups"]
    assert {each["state"] for each in groups} == {"fix_ready"}
    again = run({})
    assert again["run"] == 2
    assert ids(product_here, "visits", "user") == [1]
    assert product_here.table("visits", Role.QUARANTINE).num_rows == 2
    assert run({})["run"] == 0
    assert run({}, "--force")["run"] == 3
    assert run({})["run"] == 0
    run({"users_2.csv": "id,name\n5,e\n"})
    [group] = {each["group"] for each in product_here("quarantine", "--json", expect=[0]).json["groups"]}
    product_here("quarantine", "replay", group, expect=[3])
    assert ids(product_here, "visits", "user") == [1, 5]
    assert run({})["run"] == 0


def proof_of(product: ProductHere, *words: str) -> tuple[str, int, bool]:
    """A proposed change of the contract of t: its name, how many rows newly fail, and whether all were looked at."""
    proposed = product("contract", "amend", "t", *words, "--reason", "r", "--json", expect=[0]).json
    seen = proposed["empirical"]
    return proposed["proposal"]["id"], seen["newly_failing"], seen["is_complete"]


@pytest.mark.slow
def test_a_proof_counts_the_rows_that_meet_their_key_in_another_file(product_here: ProductHere, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in {
        "t_1": "1,a\n2,b\n",
        "t_2": "2,c\n3,d\n",
        "t_3": "3,e\n4,f\n4,g\n,h\n,i\n",
        "t_4": "2,j\n",
    }.items():
        (folder / f"{name}.csv").write_text(f"id,name\n{text}")
    product_here("run", str(folder), "--table", "t", expect=[0])
    ruled, failing, is_complete = proof_of(product_here, "--rule", "once: unique id in table")
    assert (failing, is_complete) == (4, True)  # 2 twice, 3 and 4 once: of each key one row stays
    (folder / "t_4.csv").unlink()  # its row stays in the table, and so does its key
    product_here("scan", str(folder), expect=[0])
    product_here("approval", "withdraw", ruled, expect=[0])
    ruled, failing, _ = proof_of(product_here, "--rule", "once: unique id in table")
    assert failing == 4
    product_here("approve", ruled, "--reason", "reviewed", expect=[0])
    assert product_here.table("t", Role.QUARANTINE).num_rows == 4
    assert Counter(ids(product_here, "t", "name")).total() == 6

    # Where the rule is there already, no row that it let through fails because its own key is in the table.
    _, failing, is_complete = proof_of(product_here, "--rename", "name=label")
    assert (failing, is_complete) == (0, True)


@pytest.mark.slow
def test_a_proof_looks_references_up_in_the_other_table(product_here: ProductHere, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "u.csv").write_text("id,name\n1,a\n2,b\n")
    product_here("run", str(folder), "--table", "u", expect=[0])
    (folder / "u.csv").unlink()
    (folder / "t.csv").write_text("user,page\n1,/a\n3,/b\n,/c\n5,/d\n")
    product_here("run", str(folder), "--table", "t", expect=[0])
    _, failing, is_complete = proof_of(product_here, "--rule", "known: reference user to u id")
    assert (failing, is_complete) == (2, True)


@pytest.mark.slow
def test_a_reference_to_a_table_in_another_sink_is_refused_when_it_is_asked_for(
    product_here: ProductHere, tmp_path: Path
) -> None:
    for table, text in {"u": "id,name\n1,a\n", "t": "user,page\n1,/a\n"}.items():
        (tmp_path / table).mkdir()
        (tmp_path / table / f"{table}.csv").write_text(text)
        sink = f"parquet://{tmp_path}/out_{table}"
        product_here("run", str(tmp_path / table), "--table", table, "--sink", sink, expect=[0])
    rule = ("contract", "amend", "t", "--rule", "known: reference user to u id")
    refused = product_here(*rule, expect=[2]).err
    assert "refers to u, which is in no sink that t is in" in refused
    fix = f"casparian topic set u --sink parquet://{tmp_path}/out_u --sink parquet://{tmp_path}/out_t"
    assert fix in " ".join(refused.split())
    product_here(*fix.split()[1:], expect=[0])
    product_here("run", str(tmp_path / "u"), "--table", "u", expect=[0])
    product_here(*rule, expect=[0])
