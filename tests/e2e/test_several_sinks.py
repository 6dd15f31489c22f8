"""One run, several targets: each has the same rows of the same jobs, and each is brought up to date by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from casparian_flow.core.outputs import Role
from product import Product, ProductHere


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two files of one table, one with a row that does not fit, and a file of another table."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "sales_1.csv").write_text("id,amount\n1,1.5\n2,2.5\n")
    (folder / "sales_2.csv").write_text("id,amount\n3,3.5\n4,4.5,surplus\n")
    (folder / "staff.csv").write_text("name,age\nann,31\nbob,42\n")
    return folder


def uri(tmp_path: Path, name: str) -> str:
    return f"parquet://{tmp_path / name}"


def rows(product: Product, table: str, sink: str, role: Role = Role.ACCEPTED) -> list[dict[str, Any]]:
    """The visible rows with their lineage, sorted."""
    found: pa.Table = product.table(table, role, sink)
    return sorted(found.to_pylist(), key=repr)


def states(product: Product, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as database:
        return database.execute(statement).fetchall()


@pytest.mark.invariant(2)
def test_two_folders_and_the_folder_of_a_topic_get_the_same_jobs_row_by_row(
    product: Product, data: Path, tmp_path: Path
) -> None:
    a, b, c = (uri(tmp_path, name) for name in "abc")
    sinks = ("--sink", a, "--sink", b, "--topic", f"staff={c}")
    reply = product.run(str(data), *sinks)
    assert reply["sinks"] == [a, b, c]
    assert (reply["completed"], reply["accepted"], reply["quarantined"]) == (3, 5, 1)
    assert [(t["table"], t["files"], t["accepted"], t["quarantined"]) for t in reply["tables"]] == [
        ("sales", 2, 3, 1),
        ("staff", 1, 2, 0),
    ]
    assert rows(product, "sales", a) == rows(product, "sales", b)
    assert rows(product, "sales", a, Role.QUARANTINE) == rows(product, "sales", b, Role.QUARANTINE)
    assert [row["id"] for row in rows(product, "sales", a)] == [1, 2, 3]
    assert len(rows(product, "sales", b, Role.QUARANTINE)) == 1
    assert [row["name"] for row in rows(product, "staff", c)] == ["ann", "bob"]
    assert {sink: product.tables(sink=sink) for sink in (a, b, c)} == {a: ["sales"], b: ["sales"], c: ["staff"]}
    assert product.tables() == []

    shown = product("jobs", "--json", expect=[0]).json["jobs"]
    assert sorted((job["accepted"], job["quarantined"]) for job in shown) == [(1, 1), (2, 0), (2, 0)]
    assert {str(row["_cf_job_id"]) for sink in (a, b) for row in rows(product, "sales", sink)} <= {
        job["job"] for job in shown
    }
    places = {
        (entry["table"], entry["sink"]): entry["rows"]
        for entry in product("tables", "--json", expect=[0]).json["tables"]
        if entry["kind"] == "output"
    }
    assert places == {("sales", a): 3, ("sales", b): 3, ("staff", c): 2}
    [group] = product("quarantine", "--json", expect=[0]).json["groups"]
    assert group["rows"] == 1
    detail = product("quarantine", "show", group["group"], "--json", expect=[0]).json
    assert len(detail["rows"]) == 1

    files = sorted(path for path in tmp_path.rglob("*.parquet"))
    assert product.run(str(data), *sinks)["skipped"] == {"up_to_date": 3}
    assert product.run(str(data), "--sink", b, "--topic", f"staff={c}")["skipped"] == {"up_to_date": 3}
    assert sorted(path for path in tmp_path.rglob("*.parquet")) == files


@pytest.mark.invariant(1)
def test_a_sink_that_is_added_later_gets_all_rows_and_no_sink_shows_a_row_twice(
    product: Product, data: Path, tmp_path: Path
) -> None:
    a, b = uri(tmp_path, "a"), uri(tmp_path, "b")
    product.run(str(data), "--sink", a)
    plan = product("plan", str(data), "--sink", a, "--sink", b, "--json", expect=[0]).json
    assert plan["counts"] == {"run target_changed": 3}
    assert plan["entries"][0]["detail"] == f"sales is not in {b} in mode append"
    product.run("--plan", plan["plan"])
    for table, count in (("sales", 3), ("staff", 2)):
        assert rows(product, table, a) == rows(product, table, b)
        assert len(rows(product, table, a)) == count
    assert states(
        product, "SELECT sink_uri, count(*) FROM cf_materializations WHERE is_current GROUP BY 1 ORDER BY 1"
    ) == [
        (a, 3),
        (b, 3),
    ]
    assert states(product, "SELECT sum(rows) FROM cf_quarantine_groups WHERE is_current") == [(1,)]

    (data / "sales_1.csv").write_text("id,amount\n9,9.5\n")
    product.run(str(data), "--sink", b)
    assert [row["id"] for row in rows(product, "sales", b)] == [3, 9]
    assert [row["id"] for row in rows(product, "sales", a)] == [3]  # the old bytes are nowhere any more
    product.run(str(data), "--sink", a, "--sink", b)
    assert rows(product, "sales", a) == rows(product, "sales", b)


def test_a_topic_appends_to_one_sink_and_replaces_in_another(product: Product, data: Path, tmp_path: Path) -> None:
    a, b = uri(tmp_path, "a"), uri(tmp_path, "b")
    product("topic", "set", "sales", "--sink", a, expect=[0])
    product("topic", "add", "sales", "--sink", b, "--mode", "replace", expect=[0])
    assert product.run(str(data))["completed"] == 3
    assert rows(product, "sales", a) == rows(product, "sales", b) != []
    assert len(product.table("staff")) == 2

    more = tmp_path / "more"
    more.mkdir()
    (more / "sales_3.csv").write_text("id,amount\n7,7.5\n")
    product.run(str(more))
    assert [row["id"] for row in rows(product, "sales", a)] == [1, 2, 3, 7]
    assert [row["id"] for row in rows(product, "sales", b)] == [7]
    # What a replacement took out is missing there: the next run over it brings it back, and only there it replaces.
    counts = product("plan", str(data), "--json", expect=[0]).json["counts"]
    assert counts == {"run target_changed": 2, "skip up_to_date": 1}
    kinds = states(
        product, "SELECT DISTINCT sink_uri, sink_mode FROM cf_materializations WHERE table_name = 'sales' ORDER BY 1"
    )
    assert kinds == [(a, "append"), (b, "replace")]


def test_mode_error_in_one_of_two_sinks_refuses_before_anything_runs(
    product: Product, data: Path, tmp_path: Path
) -> None:
    a, b = uri(tmp_path, "a"), uri(tmp_path, "b")
    product.run(str(data), "--sink", a)
    product("topic", "set", "sales", "--sink", a, "--mode", "error", expect=[0])
    refused = product("run", str(data), "--sink", b, "--force", "--json")
    assert (refused.code, "output-exists" in refused.err) == (1, True)
    assert not (tmp_path / "b").exists()
    assert states(product, "SELECT count(*) FROM cf_jobs") == [(3,)]


@pytest.mark.parametrize("away", ["a file stands there", "another home's"])
def test_a_second_sink_that_cannot_be_written_to_refuses_before_anything_runs(
    product: Product, data: Path, tmp_path: Path, away: str
) -> None:
    a, b = uri(tmp_path, "a"), uri(tmp_path, "b")
    if away == "another home's":
        Product(tmp_path / "other").run(str(data), "--sink", b)
        code, kept = "target-owned", Product(tmp_path / "other").content(b)
    else:
        (tmp_path / "b").write_text("not a folder")
        code, kept = "sink-unavailable", None
    refused = product("run", str(data), "--sink", a, "--sink", b, "--json")
    assert (refused.code, code in refused.err) == (1, True), refused.err
    assert states(product, "SELECT count(*) FROM cf_jobs") == [(0,)]
    assert not (tmp_path / "a").exists()
    if kept is not None:
        assert product.content(b) == kept
        assert product.run(str(data), "--sink", a)["completed"] == 3


def test_a_target_without_a_mark_is_refused_when_its_commits_are_another_homes(
    product: Product, data: Path, tmp_path: Path
) -> None:
    b = uri(tmp_path, "b")
    other = Product(tmp_path / "other")
    other.run(str(data), "--sink", b)
    (tmp_path / "b" / "_cf" / "owner.json").unlink()  # as an older release left it
    refused = product("run", str(data), "--sink", b, "--json")
    assert (refused.code, "target-owned" in refused.err) == (1, True), refused.err
    assert other.run(str(data), "--sink", b)["skipped"] == {"up_to_date": 3}
    assert (tmp_path / "b" / "_cf" / "owner.json").exists()


def test_names_topics_and_urls_are_chosen_in_their_order(product: Product, data: Path, tmp_path: Path) -> None:
    archive, b, c = (uri(tmp_path, name) for name in ("archive", "b", "c"))
    product("sink", "add", archive, "--name", "archive", expect=[0])
    product("topic", "set", "sales", "--sink", "archive", expect=[0])
    product.run(str(data), "--sink", b)
    assert (product.tables(sink=archive), product.tables(sink=b)) == (["sales"], ["staff"])
    product.run(str(data), "--sink", b, "--topic", f"sales={c}")
    assert (product.tables(sink=b), product.tables(sink=c)) == (["staff"], ["sales"])
    refused = product("sink", "remove", "archive", "--json")
    assert (refused.code, "the topic sales lands there" in refused.err) == (2, True)
    product("topic", "remove", "sales", expect=[0])
    product("sink", "remove", "archive", expect=[0])
    product.run(str(data))
    assert product.tables() == ["sales", "staff"]
    known = {sink["sink"]: sink["rows"] for sink in product("sink", "--json", expect=[0]).json["sinks"]}
    assert known == {f"parquet://{product.home}": 5, archive: 3, b: 2, c: 3}
    assert pc.sum(product.table("sales", sink=archive)["id"]).as_py() == 6


def test_a_table_named_in_the_sink_must_be_the_same_in_all(product: Product, data: Path, tmp_path: Path) -> None:
    a, b = uri(tmp_path, "a"), uri(tmp_path, "b")
    product.run(str(data / "staff.csv"), "--sink", f"{a}?table=people", "--sink", f"{b}?table=people")
    assert product.tables(sink=a) == product.tables(sink=b) == ["people"]
    for sinks in (("--sink", f"{a}?table=people", "--sink", b), ("--sink", a, "--sink", f"{a}?table=people")):
        assert product("run", str(data), *sinks, "--json").code == 2
    assert product("run", str(data), "--sink", a, "--sink", f"parquet://{tmp_path}/./a", "--json").code == 2
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for same in (f"csv://{tmp_path}/a", f"parquet://{tmp_path}/link"):
        refused = product("run", str(data), "--sink", a, "--sink", same, "--json")
        assert (refused.code, "are the same place" in refused.err) == (2, True)


@pytest.mark.invariant(4)
def test_every_kind_of_sink_shows_the_same_rows_of_one_run_and_keeps_in_step(
    product: Product, data: Path, tmp_path: Path
) -> None:
    sinks = [f"{scheme}://{tmp_path / scheme}.{scheme}" for scheme in ("parquet", "csv", "duckdb", "sqlite")]
    arguments = [word for sink in sinks for word in ("--sink", sink)]
    assert product.run(str(data), *arguments)["completed"] == 3
    (data / "sales_1.csv").write_text("id,amount\n9,9.5\n")
    product.run(str(data), *arguments)
    first, *others = [product.content(sink) for sink in sinks]
    assert sorted(first) == ["accepted sales", "accepted staff", "quarantine sales"]
    assert all(other == first for other in others)
    jobs = [product.table("sales", sink=sink).sort_by("id")["_cf_job_id"].to_pylist() for sink in sinks]
    assert jobs == [jobs[0]] * 4
    assert product.run(str(data), *arguments)["skipped"] == {"up_to_date": 3}


def test_rows_that_are_rejected_on_their_way_to_a_second_sink_are_the_same_rows(
    product_here: ProductHere, tmp_path: Path
) -> None:
    data = tmp_path / "sales"
    data.mkdir()
    (data / "s_1.csv").write_text("id,amount\n1,2\n2,3\n")
    product_here.run(str(data), "--sink", f"parquet://{tmp_path}/a")
    (data / "s_2.csv").write_text("id,amount\n1,x\n2,3\n")
    product_here.run(str(data), "--sink", f"parquet://{tmp_path}/a", "--sink", f"csv://{tmp_path}/b")

    again = product_here.run(str(data), "--sink", f"sqlite://{tmp_path}/c.db")

    assert again["quarantined"] == 1
    assert again["open_quarantine"] == 1
    assert product_here("status", "--json").json["quarantine"] == {"rows": 1, "files": 1, "waived": 0}
    [group] = product_here("quarantine", "--json").json["groups"]
    assert (group["rows"], group["files"]) == (1, 1)
    assert len(product_here("quarantine", "show", group["group"], "--json").json["rows"]) == 1
