"""Rejected rows are erased for good once a person has agreed: from every target, from the home, and from the past."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from product import ProductHere

PLANTED = "Qx7-planted-5512"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files stand; who decides has a key of their own."""
    monkeypatch.setenv("CASPARIAN_APPROVER_KEY", str(tmp_path / "approver.key"))
    made = tmp_path / "in"
    made.mkdir()
    return made


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(("id,n,who", *lines)) + "\n")


def group_of(product: ProductHere, sample: str = PLANTED) -> dict[str, Any]:
    """The group with that value, which no other one has."""
    (group,) = [each for each in product("quarantine", "--json").json["groups"] if each["sample"] == sample]
    return dict(group)


def purge(product: ProductHere, group: str) -> str:
    """Ask for it and agree to it; its name."""
    asked = product("quarantine", "purge", group, "--reason", "a leak", "--json", expect=[0]).json["proposal"]
    assert (asked["kind"], asked["risk"], asked["state"]) == ("purge", "destructive", "proposed")
    product("approve", asked["id"], "--reason", "asked to forget", expect=[0])
    return str(asked["id"])


def places(*folders: Path) -> list[str]:
    """Every file below these folders in which the planted text stands."""
    return [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and PLANTED.encode() in path.read_bytes()
    ]


def test_rows_that_were_erased_are_counted_and_nothing_else_is_left_of_them(
    product_here: ProductHere, folder: Path
) -> None:
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder))
    write(folder, "p_2.csv", f"2,{PLANTED},bob", "3,3,cid", "4,4,dan,5")
    product_here.run(str(folder))
    group = group_of(product_here)["group"]
    name = purge(product_here, group)
    assert places(product_here.home) == []
    (left,) = product_here("quarantine", "--json").json["groups"]
    assert left["rows"] == 1 and left["code"] != "cf.cast.int64"
    (gone,) = product_here("quarantine", "list", "--state", "purged", "--json").json["groups"]
    assert (gone["group"], gone["rows"], gone["purge"]) == (group, 1, name)
    assert gone["message"].startswith(f"erased by {name} on ")
    assert "in quarantine" not in product_here("quarantine", "list", "--state", "purged", "-f", "table").err
    assert "no cause fits" in product_here("quarantine", "list", "--code", "x", "-f", "table").err
    assert len(product_here.table("p")) == 2 and len(product_here.table("p", Role.QUARANTINE)) == 1
    again = product_here("quarantine", "purge", group, "--reason", "once more", "--json", expect=[0]).json
    assert (again["proposal"]["id"], again["proposal"]["state"]) == (name, "applied")
    refused = product_here("quarantine", "show", group, expect=[7])
    assert f"erased by {name}" in refused.err
    (output,) = product_here("output", "list", "--json", expect=[0]).json["outputs"]
    assert (output["rows"], output["quarantined"], output["purged"]) == (2, 1, 1)
    assert "1 accepted, 1 quarantined, 1 erased" in product_here("jobs", "show", "@last", expect=[0]).out
    assert product_here.run(str(folder))["run"] == 0


@pytest.mark.parametrize("sink", ["parquet", "sqlite"])
def test_rows_of_a_cause_whose_column_was_closed_before_are_erased(
    product_here: ProductHere, folder: Path, tmp_path: Path, sink: str
) -> None:
    to = ("--sink", f"{sink}://{tmp_path}/out.db")
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder), *to)
    write(folder, "p_2.csv", f"2,{PLANTED},bob", "3,x,cid")
    product_here.run(str(folder), *to)
    group = group_of(product_here)["group"]
    (folder / "p_2.csv").unlink()  # else the file would be read again as soon as the column is closed
    product_here("scan", str(folder))
    amended = product_here("contract", "amend", "p", "--reclassify", "n=secret", "--json", expect=[0]).json
    product_here("approve", amended["proposal"]["id"], "--reason", "t", expect=[0])
    assert [each for each in places(tmp_path) if "out.db" in each]
    purge(product_here, group)
    assert places(tmp_path) == []
    (left,) = product_here.table("p", Role.QUARANTINE, to[1]).to_pylist()
    assert left["shape"] == "A"


@pytest.mark.slow
def test_a_secret_in_rejected_rows_is_in_no_byte_of_four_targets_and_of_the_home(
    product_here: ProductHere, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sinks = [f"parquet://{out}/p", f"csv://{out}/c", f"duckdb://{out}/d.duckdb", f"sqlite://{out}/s.db"]
    to = [part for sink in sinks for part in ("--sink", sink)]
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder), *to)
    for at in range(2, 6):
        write(folder, f"p_{at}.csv", f"{at}1,{PLANTED if at == 4 else 'x'},bob", f"{at}2,3,cid", f"{at}3,4,dan,5")
    product_here.run(str(folder), *to)
    product_here.run(str(folder), *to, "--force")
    assert len(places(out)) >= 4 and places(product_here.home)
    before = [product_here("output", "history", "p", "--sink", sink, "--json").json["commits"] for sink in sinks]
    name = purge(product_here, group_of(product_here)["group"])
    assert places(out, product_here.home) == []
    for sink, commits in zip(sinks, before, strict=True):
        kept = product_here.table("p", sink=sink)
        assert sorted(kept["id"].to_pylist()) == [1, 22, 32, 42, 52]
        assert len(product_here.table("p", Role.QUARANTINE, sink)) == 7
        newest, before_it = (each["snapshot"] for each in commits[:2])
        back = product_here("output", "revert", "p", str(before_it), "--sink", sink, "--reason", "r", expect=[7])
        assert f"erased by {name}" in back.err
        past = f"SELECT * FROM {'quarantine.p'}"
        assert f"erased by {name}" in product_here("sql", past, "--as-of", str(newest), expect=[7]).err
        assert len(product_here("output", "history", "p", "--sink", sink, "--json").json["commits"]) > len(commits)


@pytest.mark.slow
def test_what_would_bring_erased_rows_back_says_so_and_needs_force(product_here: ProductHere, folder: Path) -> None:
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder))
    write(folder, "p_2.csv", f"2,{PLANTED},bob", "3,3,cid", "4,4,dan,5")
    product_here.run(str(folder))
    group = group_of(product_here)["group"]
    name = purge(product_here, group)
    told = product_here("why", f"{folder}/p_2.csv:1", expect=[0])
    assert f"1 row that this file brought to p was erased by {name} on " in told.out
    assert f"erased by {name}" in product_here("quarantine", "replay", group, expect=[7]).err
    asked = product_here("contract", "amend", "p", "--rename", "who=name", "--json", expect=[0]).json["proposal"]
    product_here("approve", asked["id"], "--reason", "r", expect=[0, 3])
    reply = product_here.run(str(folder))
    assert (reply["skipped"]["held_by_policy"], reply["held"]) == (1, "p_2.csv")
    assert f"would bring rows back that {name} erased; --force reads it" in reply["held_why"]
    assert [each["rows"] for each in product_here("quarantine", "--json").json["groups"]] == [1]
    planned = product_here("plan", str(folder), "--force", "--json", expect=[0]).json
    back = {"how": "purged", "by": name, "why": f"rows of it were erased by {name}", "files": 1, "paths": ["p_2.csv"]}
    assert planned["brought_back"] == [back | {"rows": None}]
    details = {each["path"]: each["detail"] for each in planned["entries"]}
    assert details["p_2.csv"] == f"asked for with --force, though rows of it were erased by {name}"
    assert details["p_1.csv"] == "asked for with --force"
    told = product_here("plan", str(folder), "--force", expect=[0]).out
    assert f"back      1 file to be read again, though rows of it were erased by {name}: p_2.csv\n" in told
    reply = product_here.run(str(folder), "--force")
    assert reply["brought_back"] == [back | {"rows": 3}]
    assert group_of(product_here)["rows"] == 1
    assert product_here.run(str(folder), "--force")["brought_back"] == [], "nothing is out any more"


@pytest.mark.slow
@pytest.mark.parametrize("sink", ["parquet://{}/t", "sqlite://{}/t.db"])
def test_what_was_erased_stays_away_from_readings_that_are_undone(
    product_here: ProductHere, folder: Path, tmp_path: Path, sink: str
) -> None:
    to = ("--sink", sink.format(tmp_path))
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder), *to)
    write(folder, "p_2.csv", f"21,{PLANTED},bob", "22,2,bob", "23,x,bob")
    write(folder, "p_3.csv", "31,x,cid", "32,3,cid")  # lands beside it in the same files
    product_here.run(str(folder), *to)
    purge(product_here, group_of(product_here)["group"])
    for name in ("p_2.csv", "p_3.csv"):
        product_here.run(str(folder / name), *to, "--force")
        product_here("jobs", "revert", "@last", "--yes", "--reason", "as it was", expect=[0])
        assert sorted(product_here.table("p", sink=to[1])["id"].to_pylist()) == [1, 22, 32]
        kept = product_here.table("p", Role.QUARANTINE, to[1])["values"].to_pylist()
        assert len(kept) == 2 and not any(PLANTED in each for each in kept)
        states = {each["sample"]: each["rows"] for each in product_here("quarantine", "--json").json["groups"]}
        assert states == {"x": 2}


def test_a_repair_that_waits_goes_with_its_row(product_here: ProductHere, folder: Path) -> None:
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder))
    write(folder, "p_2.csv", f"2,{PLANTED},bob", "3,x,cid")
    product_here.run(str(folder))
    group = group_of(product_here)["group"]
    file = folder / "p_2.csv"
    for record, number in ((1, "7"), (2, "8")):
        product_here("quarantine", "repair", f"{file}:{record}", "--set", f"n={number}", "--reason", "r", expect=[0])
    purge(product_here, group)
    assert places(product_here.home) == []
    kept = product_here("repair", "list", "--json", expect=[0]).json["repairs"]
    assert [(each["row"].rpartition(":")[2], each["after"]) for each in kept] == [("2", {"n": "8"})]
    assert product_here.run(str(folder))["held"] == "p_2.csv"


@pytest.mark.slow
def test_rows_of_a_cause_whose_words_were_closed_since_are_found_by_its_name(
    product_here: ProductHere, folder: Path
) -> None:
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder))
    write(folder, "p_2.csv", f"2,{PLANTED},bob", "3,3,cid")
    product_here.run(str(folder))
    (folder / "p_2.csv").unlink()
    product_here.run(str(folder))
    asked = product_here("contract", "amend", "p", "--reclassify", "n=secret", "--json", expect=[0]).json["proposal"]
    product_here("approve", asked["id"], "--reason", "r", expect=[0, 3])
    (group,) = product_here("quarantine", "--json").json["groups"]
    assert PLANTED not in group["sample"] and places(product_here.home)
    purge(product_here, group["group"])
    assert places(product_here.home) == []
    assert len(product_here.table("p", Role.QUARANTINE)) == 0


def test_a_change_is_proven_without_the_files_of_which_rows_were_erased(
    product_here: ProductHere, folder: Path
) -> None:
    write(folder, "p_1.csv", "1,1,ann")
    product_here.run(str(folder))
    write(folder, "p_2.csv", f"2,{PLANTED},bob", "3,3,cid", "4,4.5,dan")
    write(folder, "p_3.csv", "5,5.5,eve")
    product_here.run(str(folder))
    purge(product_here, group_of(product_here)["group"])
    asked = product_here("contract", "amend", "p", "--widen", "n:decimal(20,1)", "--json", expect=[0]).json
    seen = asked["empirical"]
    assert (seen["newly_failing"], seen["contradicts"], seen["is_complete"]) == (0, [], True)
    assert (seen["released"], seen["files_read"], seen["erased_files"]) == (1, 1, 1)
    assert asked["impact"]["files_reopened"] == 1
    name = asked["proposal"]["id"]
    shown = product_here("approval", "show", name, expect=[0]).out
    assert "1 file with erased rows was not read: its rows stay as they are" in shown
    assert shown.rstrip().endswith(f"next: casparian approve {name} --reason TEXT")
    product_here("approve", name, "--reason", "r", expect=[0])
    assert sorted(product_here.table("p")["id"].to_pylist()) == [1, 3, 5]


@pytest.mark.slow
def test_drafts_of_other_causes_outlive_a_purge_without_what_they_quote(
    product_here: ProductHere, folder: Path
) -> None:
    (folder / "p_1.csv").write_text("id,n,m\n1,1,1\n")
    product_here.run(str(folder))
    (folder / "p_2.csv").write_text(f"id,n,m\n2,{PLANTED},2\n3,3,3.5\n4,4,4.5\n")
    (folder / "p_3.csv").write_text("id,n,m\n5,5,5.25\n")
    product_here.run(str(folder))
    drafts = product_here("approval", "list", "--json", expect=[0]).json["proposals"]
    about = {each["what"].split()[1]: each for each in drafts}
    asked = product_here("quarantine", "purge", group_of(product_here)["group"], "--reason", "r", "--json").json
    name = asked["proposal"]["id"]
    told = product_here("approve", name, "--reason", "r", expect=[0]).out
    assert f"{about['n']['id']} is void: rows behind it were erased by {name}" in told
    assert about["m"]["id"] not in told
    (left,) = product_here("approval", "list", "--json", expect=[0]).json["proposals"]
    assert (left["id"], left["state"], left["rows"], left["files"]) == (about["m"]["id"], "draft", 3, 2)
    assert left["what"] == about["m"]["what"]
    assert places(product_here.home) == []
    proposed = product_here("contract", "propose", left["id"], "--json", expect=[0]).json
    assert (proposed["empirical"]["erased_files"], proposed["empirical"]["contradicts"]) == (1, [])


def test_a_file_that_was_read_for_two_sets_of_sinks_is_one_file_of_a_purge(
    product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASPARIAN_APPROVER_KEY", str(tmp_path / "approver.key"))
    source = tmp_path / "twice"
    source.mkdir()
    (source / "s_1.csv").write_text("id,n\n1,1\n2\n")
    product_here.run(str(source))
    product_here.run(str(source), "--sink", f"csv://{tmp_path / 'other'}")
    (group,) = product_here("quarantine", "list", "--json").json["groups"]
    asked = product_here("quarantine", "purge", group["group"], "--reason", "r", "--json", expect=[0]).json
    assert [(each["path"], each["rows"]) for each in asked["evidence"]] == [("s_1.csv", 1)]
    product_here("approve", asked["proposal"]["id"], "--reason", "r", "--yes", expect=[0])
    assert product_here("quarantine", "list", "--json").json["groups"] == []
