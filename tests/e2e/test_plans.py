"""A plan says of every file what a run would do, in groups that add up, and a run of that plan does exactly this."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from product import ProductHere


def plan(product: ProductHere, source: Path, *more: str) -> Any:
    return product("plan", str(source), *more, "--json", expect=(0,)).json


def grouped(reply: Any) -> dict[tuple[str, str], int]:
    return {(each["group"], each["reason"]): each["files"] for each in reply["groups"]}


@pytest.mark.parametrize("verb", ["plan", "run", "scan"])
def test_a_folder_that_is_not_there_is_answered_with_what_may_be_meant(
    product_here: ProductHere, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "exports").mkdir()
    told = json.loads(product_here(verb, str(tmp_path / "exprots"), "--json", expect=(5,)).err.splitlines()[-1])
    assert told["why"] == f"nor is a source named so; did you mean {tmp_path / 'exports'}?"
    assert told["fix"] == "casparian source list"
    told = json.loads(product_here(verb, str(tmp_path / "no" / "where"), "--json", expect=(5,)).err.splitlines()[-1])
    assert (told["why"], told["fix"]) == ("nor is a source named so", "casparian source list")


def test_the_groups_of_a_plan_add_up_to_its_files_and_bytes(product_here: ProductHere, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in "abcd":
        (source / f"{name}.csv").write_text(f"id,{name}\n1,2\n2,3\n")
    (source / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    first = plan(product_here, source)
    assert grouped(first) == {("new", "new"): 4, ("skip", "no_parser"): 1}
    assert first["next"] == f"casparian run --plan {first['plan']}"
    said = product_here("run", str(source), expect=(0,)).out
    assert "no parser 1 file was not read: photo.png" in said
    (source / "b.csv").write_text("id,b\n1,2\n2,3\n3,4\n")
    (source / "e.csv").write_text("id,e\n1,2\n")
    product_here("plan", str(source), expect=(0,))
    later = plan(product_here, source, "--option", "null=NA")
    assert grouped(later) == {
        ("new", "new"): 1,
        ("changed", "bytes_changed"): 1,
        ("reopen", "config_changed"): 3,
        ("skip", "no_parser"): 1,
    }
    assert later["retire"] == {"files": 1, "rows": 2, "quarantined": 0}
    on_disk = {path.name: path.stat().st_size for path in source.iterdir()}
    by_group: Counter[tuple[str, str]] = Counter()
    for group in later["groups"]:
        by_group[group["group"], group["reason"]] += group["bytes"]
    assert sum(by_group.values()) == sum(on_disk.values())
    assert by_group["reopen", "config_changed"] == on_disk["a.csv"] + on_disk["c.csv"] + on_disk["d.csv"]
    assert sum(each["files"] for each in later["groups"]) == len(later["entries"]) == len(on_disk)
    lines = product_here("plan", str(source), expect=(0,)).out
    for line in (
        "new       1 (9 B)",
        "changed   1 (17 B)",
        "skip      3 up_to_date, 1 no_parser",
        "retire    1 (2 rows",
    ):
        assert line in lines, line


def test_a_plan_is_run_as_it_is_or_refused_as_stale(product_here: ProductHere, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.csv").write_text("id,a\n1,2\n")
    kept = plan(product_here, source)["plan"]
    (source / "b.csv").write_text("id,b\n1,2\n")
    assert product_here("run", "--plan", kept).code == 1
    assert product_here.tables() == []
    ran = product_here.run("--plan", plan(product_here, source)["plan"])
    assert (ran["run"], ran["next"]) == (2, 'casparian sql "SELECT * FROM a LIMIT 10"')


@pytest.mark.slow
def test_a_plan_says_which_rows_go_out_with_their_file(product_here: ProductHere, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in "ab":
        (source / f"{name}.csv").write_text(f"id,{name}\n1,2\n2,3\n4\n")
    product_here.run(str(source))
    (source / "b.csv").unlink()
    kept = plan(product_here, source)
    assert (kept["retire"], kept["entries"][1]["detail"]) == (
        {"files": 0, "rows": 0, "quarantined": 0},
        "not there any more; its rows are kept",
    )
    product_here("source", "policy", str(source), "retire", expect=(0,))
    retiring = plan(product_here, source)
    assert retiring["retire"] == {"files": 1, "rows": 2, "quarantined": 1}
    assert "retire    1 (2 rows, 1 quarantined, of bytes" in product_here("plan", str(source), expect=(0,)).out
    assert retiring["entries"][1]["detail"] == "not there any more; its rows go out, as the policy of its source says"
    retired = product_here.run("--plan", retiring["plan"])["retired"]
    assert retired == [{"table": "b", "rows": 2, "quarantined": 1, "files": 1}]
    assert product_here.table("b").num_rows == 0
    newest = product_here("output", "history", "b", "--json", expect=(0,)).json["commits"][0]
    assert (newest["removed"], newest["quarantine_removed"], newest["quarantined"]) == (2, 1, 0)


def test_what_a_scan_and_the_status_suggest_reads_new_files_as_the_others_and_moves_no_rows(
    product_here: ProductHere, tmp_path: Path
) -> None:
    def suggested(folder: str) -> list[str]:
        scanned = product_here("scan", folder, "--json", cwd=tmp_path, expect=(0,)).json["next"]
        assert f"next      {scanned}" in product_here("scan", folder, cwd=tmp_path, expect=(0,)).out
        status = product_here("status", "--json", cwd=tmp_path, expect=(0,)).json["next"]
        assert status == [scanned]
        return shlex.split(scanned)

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id;who\n1;x\n2;y\n")
    assert suggested("in") == ["casparian", "run"]
    product_here("run", "in", "--table", "people", cwd=tmp_path, expect=(0,))
    (tmp_path / "in" / "b.csv").write_text("id;who\n3;z\n")
    words = suggested("in")
    assert words == ["casparian", "run", "in", "--table", "people"]
    said = product_here(*words[1:], "--json", cwd=tmp_path, expect=(0,)).json
    assert (said["completed"], said["moved"]) == (1, [])
    assert (product_here.tables(), product_here.table("people").num_rows) == (["people"], 3)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "c.csv").write_text("a;b\n1;2\n")
    product_here("run", "more", cwd=tmp_path, expect=(0,))
    (tmp_path / "in" / "d.csv").write_text("id;who\n4;z\n")
    assert suggested("in") == ["casparian", "plan"], "two folders were read in two ways"
    planned = product_here("plan", "--json", cwd=tmp_path, expect=(0,)).json
    assert grouped(planned) == {("new", "new"): 1, ("reopen", "config_changed"): 2, ("skip", "up_to_date"): 1}


def test_the_suggested_run_names_a_shipped_parser_that_only_a_person_chose(
    product_here: ProductHere, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id;who\n1;x\n")
    product_here("run", "in", "--parser", "lines", cwd=tmp_path, expect=(0,))
    (tmp_path / "in" / "b.csv").write_text("id;who\n2;y\n")
    words = shlex.split(product_here("scan", "in", "--json", cwd=tmp_path, expect=(0,)).json["next"])
    assert words == ["casparian", "run", "in", "--parser", "lines"]
    product_here(*words[1:], cwd=tmp_path, expect=(0,))
    assert (product_here.tables(), product_here.table("log_lines").num_rows) == (["log_lines"], 4)


def test_a_run_of_one_folder_is_not_suggested_where_what_is_new_may_lie_in_another(
    product_here: ProductHere, tmp_path: Path
) -> None:
    for name in ("in", "more"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(f"id;who\n1;{name}\n")
    product_here("run", "in", "--table", "people", cwd=tmp_path, expect=(0,))
    assert product_here("scan", "more", "--json", cwd=tmp_path, expect=(0,)).json["next"] == "casparian plan"
    planned = product_here("plan", "--json", cwd=tmp_path, expect=(0,)).json
    assert grouped(planned) == {("new", "new"): 1, ("reopen", "config_changed"): 1}


def test_a_plan_takes_the_words_of_a_run_and_its_run_has_them_all(product_here: ProductHere, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.csv").write_text("id;who\n1;NA\n2;y\n")
    (source / "b.csv").write_text("id;who\n3;NA\n4;z\n")
    words = ("--table", "people", "--option", "null=NA", "--sink", "csv://out", "--mode", "replace")
    planned = product_here("plan", "in", *words, "--json", cwd=tmp_path, expect=(0,)).json
    assert planned["asked"] == ("casparian run in --table people --option null=NA --sink csv://out --mode replace")
    assert (planned["sinks"], planned["run_files"]) == ([f"csv://{tmp_path}/out"], 2)
    assert f"run       {planned['asked']}" in product_here("plan", "in", *words, cwd=tmp_path, expect=(0,)).out
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = product_here("run", "--plan", planned["plan"], "--json", cwd=elsewhere, expect=(0,)).json
    assert [(each["table"], each["sinks"]) for each in ran["tables"]] == [("people", planned["sinks"])]
    rows = product_here("sql", "SELECT id, who FROM people ORDER BY ALL", "--json", expect=(0,)).json["rows"]
    assert [tuple(row.values()) for row in rows] == [(1, None), (2, "y"), (3, None), (4, "z")]
    jobs = product_here("jobs", "--json", expect=(0,)).json["jobs"]
    assert [each["path"] for each in jobs] == ["b.csv", "a.csv"], "the newest first, in the order of the plan"
    # The same words find nothing to do, others say what differs.
    again = product_here("plan", "in", *words, "--json", cwd=tmp_path, expect=(0,)).json
    assert grouped(again) == {("skip", "up_to_date"): 2}
    other = product_here("plan", "in", *words[2:], "--json", cwd=tmp_path, expect=(0,)).json
    assert grouped(other) == {("reopen", "config_changed"): 2}
    assert "the table asked for, or an option, is not that of job" in other["entries"][0]["detail"]
    said = product_here("run", "in", "--plan", planned["plan"], cwd=tmp_path, expect=(2,)).err
    assert f"casparian run --plan {planned['plan']}" in said


def test_rows_that_go_into_another_table_are_counted_before_and_after(
    product_here: ProductHere, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(2):
        (source / f"fw_{number}.csv").write_text(f"id,n\n{number},1\n{number + 5},2\n9\n")
    sinks = ("--sink", f"parquet://{tmp_path / 'a'}", "--sink", f"csv://{tmp_path / 'b'}")
    product_here("run", str(source), *sinks, expect=(3,))
    assert plan(product_here, source, *sinks, "--table", "fw")["counts"] == {"skip up_to_date": 2}
    expected = [{"table": "fw", "into": "other", "accepted": 4, "quarantined": 2, "files": 2}]
    assert plan(product_here, source, *sinks, "--table", "other")["moved"] == expected
    said = product_here("run", str(source), *sinks, "--table", "other", expect=(3,)).out
    assert "moved     fw: 4 rows, 2 quarantined, of 2 files left it for other" in said
    back = plan(product_here, source, *sinks)
    assert [(each["table"], each["into"]) for each in back["moved"]] == [("other", "fw")]
    assert plan(product_here, source, *sinks, "--table", "other")["moved"] == []


def test_rows_of_files_that_changed_count_as_moved_with_those_of_the_others(
    product_here: ProductHere, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    texts = {"l_1.csv": "1,a\n2,b\n", "l_2.csv": "3,c\n", "l_3.csv": "4,d\n", "l_4.csv": "4,d\n"}
    for name, text in texts.items():
        (source / name).write_text("id,v\n" + text)
    product_here("run", str(source), "--table", "logs", expect=(0,))
    with (source / "l_2.csv").open("a") as file:
        file.write("5,e\n")
    with (source / "l_3.csv").open("a") as file:  # what it held is in the fourth file still
        file.write("6,f\n")
    planned = plan(product_here, source)
    ran = product_here("run", "--json", expect=(0,)).json
    assert product_here.table("logs").num_rows == 0
    assert (
        ran["moved"]
        == planned["moved"]
        == [{"table": "logs", "into": "l", "accepted": 4, "quarantined": 0, "files": 3}]
    )

    for name in ("l_1.csv", "l_2.csv"):
        (source / name).write_text("id,v\n7,g\n")
    product_here("run", expect=(0,))
    for name in ("l_1.csv", "l_2.csv"):  # the same bytes, read once, and both change
        (source / name).write_text(f"id,v\n8,{name}\n")
    again = product_here("run", "--table", "logs", "--json", expect=(0,)).json
    assert product_here.table("l").num_rows == 0
    assert [(each["accepted"], each["table"]) for each in again["moved"]] == [(4, "l")]
