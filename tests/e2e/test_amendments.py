"""Changes of contracts as a person asks for them on the terminal."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.contract import proving
from casparian_flow.operations.doing.contract.proving import prove
from casparian_flow.store import proposals
from planted import places_of
from product import ProductHere


@pytest.fixture
def landed(product_here: ProductHere, tmp_path: Path) -> ProductHere:
    """A home with one table of one file, `a` whole numbers and `b` text."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "t.csv").write_text("a,b\n1,x\n2,y\n")
    product_here("run", str(folder), expect=[0])
    return product_here


def test_a_person_asks_for_a_change_and_takes_it_back(landed: ProductHere) -> None:
    asked = landed("contract", "amend", "t", "--add", "c:string", "--reason", "ticket 1", "--json", expect=[0]).json
    assert asked["proposal"]["state"] == "proposed"
    assert asked["proposal"]["risk"] == "additive"
    assert asked["static"] == {"reads_old": True, "keeps_readers": True, "because": []}
    assert asked["operations"] == [{"op": "add", "says": "add c string null"}]
    assert asked["digest"].startswith("blake3:")
    again = landed("contract", "amend", "t", "--add", "c:string", "--json", expect=[0]).json
    assert again["proposal"]["id"] == asked["proposal"]["id"]
    assert landed("contract", "show", "t", "--json", expect=[0]).json["contract"]["version"] == 1
    name = asked["proposal"]["id"]
    landed("approval", "withdraw", name, "--reason", "not needed", expect=[0])
    assert re.search("^state +withdrawn by .+: not needed$", landed("approval", "show", name).out, re.MULTILINE)
    assert "is withdrawn, and is not proposed again" in landed("contract", "propose", name, expect=[1]).err


def test_what_cannot_be_done_to_a_contract_is_refused_where_it_is_asked(landed: ProductHere) -> None:
    for options, says in {
        ("--widen", "b:int64"): "--narrow b:int64",
        ("--add", "a:string"): "answer to the name 'a'",
        ("--drop", "z"): "no column 'z'",
        ("--relax", "a:null"): "changes nothing",
        ("--rule", "r: range b 1..2"): "cannot be about b",
        ("--drift", "type=sometimes"): "one of: propose",
        (): "nothing is asked",
    }.items():
        assert says in landed("contract", "amend", "t", *options, expect=[2]).err
    with closing(sqlite3.connect(landed.home / "state.sqlite3")) as state:
        assert state.execute("SELECT count(*) FROM cf_proposals WHERE kind = 'amendment'").fetchone() == (0,)


@pytest.mark.slow
def test_a_column_that_appears_drafts_one_change_however_many_files_have_it(landed: ProductHere) -> None:
    folder = landed.home.parent / "in"
    (folder / "t_2.csv").write_text("a,b,zone\n3,x,UTC\n4,y,Z\n")
    seen = landed("run", str(folder), expect=[0])
    [name] = {word for word in seen.out.split() if word.startswith("A-")}
    assert f"draft     {name} t: add zone string null (2 values in 1 file)" in seen.out
    assert f"next      casparian contract propose {name}\n" in seen.out
    assert landed("approval", "show", name, expect=[0]).out.endswith(f"next: casparian contract propose {name}\n")
    shown = landed("approval", "show", name, "--json", expect=[0]).json
    assert (shown["proposal"]["state"], shown["digest"], shown["samples"]) == ("draft", None, ["UTC", "Z"])
    assert shown["static"]["reads_old"] and shown["proposal"]["risk"] == "additive"
    (folder / "t_3.csv").write_text("a,b,zone\n5,z,CET\n")
    [drafted] = landed("run", str(folder), "--json", expect=[0]).json["drafted"]
    assert (drafted["proposal"], drafted["rows"], drafted["files"]) == (name, 3, 2)
    held = landed("contract", "propose", name, "--set", "governance.proof_mb=0", expect=[0])
    assert held.out.endswith(f"next: casparian contract propose {name} --full\n")


@pytest.mark.slow
def test_a_draft_is_proven_on_the_files_that_speak_for_it_and_what_the_data_contradict_is_said(
    landed: ProductHere,
) -> None:
    folder = landed.home.parent / "in"
    (folder / "t_2.csv").write_text("a,b,zone\n3.5,x,UTC\n4,y,Z\n")
    drafted = landed("run", str(folder), "--json", expect=[3]).json["drafted"]
    by_what = {each["what"]: each["proposal"] for each in drafted}
    assert by_what.keys() == {"add zone string null", "widen a to decimal(20,1)"}
    added = landed("contract", "propose", by_what["add zone string null"], "--json", expect=[0]).json
    assert added["proposal"]["state"] == "proposed" and added["digest"]
    assert (added["empirical"]["newly_failing"], added["empirical"]["is_complete"]) == (0, True)
    assert (added["impact"]["fills"], added["impact"]["files_reopened"], added["impact"]["files_rekeyed"]) == (1, 1, 1)
    widened = landed("contract", "propose", by_what["widen a to decimal(20,1)"], "--json", expect=[0]).json
    assert (widened["empirical"]["released"], widened["empirical"]["newly_failing"]) == (1, 0)
    assert [each["accepted"] for each in widened["impact"]["replays"]] == [2]
    wrong = landed("contract", "amend", "t", "--add", "zone:int64", "--json", expect=[0]).json
    assert wrong["static"]["reads_old"]
    assert wrong["empirical"]["contradicts"] == ["reads-old: 1 rows that fit today would not fit, of t_2.csv"]
    narrowed = landed("contract", "amend", "t", "--narrow", "b:int64", "--json", expect=[0]).json
    assert (narrowed["empirical"]["rows_checked"], narrowed["empirical"]["newly_failing"]) == (3, 3)
    assert not narrowed["static"]["reads_old"] and narrowed["empirical"]["contradicts"] == []


def test_what_the_files_ask_for_is_one_proposal_of_who_asks_for_it(landed: ProductHere) -> None:
    assert "they ask for nothing" in landed("contract", "amend", "t", "--from-data", expect=[2]).err
    folder = landed.home.parent / "in"
    (folder / "t_2.csv").write_text("a,b,zone\n3.5,x,5\n4,y,6\n")
    landed("run", str(folder), expect=[3])
    asked = landed("contract", "amend", "t", "--from-data", "--json", expect=[0]).json
    assert {each["says"] for each in asked["operations"]} == {"add zone int64 null", "widen a to decimal(20,1)"}
    assert (asked["proposal"]["rows"], asked["proposal"]["files"], asked["samples"]) == (3, 1, ["3.5", "5", "6"])
    assert (asked["empirical"]["released"], asked["impact"]["fills"]) == (1, 2)


@pytest.mark.slow
def test_the_mode_evolve_applies_what_loses_nothing_and_leaves_the_rest_to_persons(landed: ProductHere) -> None:
    folder = landed.home.parent / "in"
    (folder / "t_2.csv").write_text("a,b,zone\n3.5,x,5\n4,y,6\n")
    (drafted,) = landed("run", str(folder), "--set", "drift.new_column=evolve", "--json", expect=[3]).json["drafted"]
    assert drafted["what"] == "widen a to decimal(20,1)" and drafted["state"] == "draft"
    contract = landed("contract", "show", "t", "--json", expect=[0]).json
    assert contract["contract"]["version"] == 2
    assert [field["name"] for field in contract["fields"]] == ["a", "b", "zone"]


@pytest.mark.slow
def test_after_the_mode_evolve_a_run_does_not_point_at_rescued_rows_that_are_gone(landed: ProductHere) -> None:
    folder = landed.home.parent / "in"
    (folder / "t_2.csv").write_text("a,b,zone\n3,x,5\n")
    said = landed("run", str(folder), "--set", "drift.new_column=evolve", "--json", expect=[0]).json
    assert said["rescued"] == 1 and landed.table("t")["_cf_rescued"].null_count == 3
    assert said["next"] and "_cf_rescued" not in said["next"]


@pytest.mark.slow
def test_a_change_that_cannot_be_tried_fails_neither_the_run_nor_the_other_changes(
    landed: ProductHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prove_but_for_one(acting: Acting, proposal: int) -> bool:
        with acting.database.transaction() as connection:
            if "city" in proposals.one(connection, proposal).body:
                raise SinkUnavailable("the sink cannot be read", why="it is unplugged")
        return prove(acting, proposal)

    monkeypatch.setattr(proving, "prove", prove_but_for_one)
    folder = landed.home.parent / "in"
    (folder / "t_2.csv").write_text("a,b,city,zone\n3,x,Rome,5\n")
    reply = landed("run", str(folder), "--set", "drift.new_column=evolve", "--json", expect=[0]).json
    [drafted] = reply["drafted"]
    assert (drafted["what"], drafted["state"]) == ("add city string null", "draft")
    assert reply["warnings"] == [f"{drafted['proposal']} waits for a person: the sink cannot be read: it is unplugged"]
    fields = landed("contract", "show", "t", "--json", expect=[0]).json["fields"]
    assert [field["name"] for field in fields] == ["a", "b", "zone"]


@pytest.mark.slow
def test_beside_closed_columns_no_new_one_comes_in_by_itself_and_it_is_drafted_closed(landed: ProductHere) -> None:
    hidden = landed("contract", "amend", "t", "--reclassify", "b=secret", "--json", expect=[0]).json
    landed("approve", hidden["proposal"]["id"], "--reason", "ticket 5", expect=[0])
    folder = landed.home.parent / "in"
    (folder / "t_2.csv").write_text("a,b,zone\n3,x,ZONE-Alpha-1\n")
    (drafted,) = landed("run", str(folder), "--set", "drift.new_column=evolve", "--json", expect=[0]).json["drafted"]
    assert drafted["state"] == "draft"
    asked = landed("contract", "propose", drafted["proposal"], "--json", expect=[0]).json
    assert asked["proposal"]["risk"] == "restrictive"
    assert places_of(["ZONE-Alpha-1"], [landed.home]) == []
    agreed = landed("approve", drafted["proposal"], "--reason", "ticket 6", expect=[0])
    assert "(single person: 1 is enough)\n" in agreed.out
    assert {len(row["zone"]) for row in landed.table("t").to_pylist() if row["zone"]} == {32}
    assert places_of(["ZONE-Alpha-1"], [landed.home]) == [], "who approves without a look gets pseudonyms"


@pytest.mark.slow
def test_a_renamed_column_is_found_in_files_with_its_old_name(landed: ProductHere) -> None:
    asked = landed("contract", "amend", "t", "--rename", "a=x", "--rename", "b=y", "--json", expect=[0]).json
    assert (asked["static"]["reads_old"], asked["static"]["keeps_readers"]) == (True, False)
    landed("approve", asked["proposal"]["id"], "--reason", "ticket 2", expect=[0])
    (landed.home.parent / "in" / "t_2.csv").write_text("a,b\n3,z\n")
    landed("run", str(landed.home.parent / "in"), expect=[0])
    rows = landed("sql", "SELECT x, y FROM t ORDER BY x", "--json", expect=[0]).json["rows"]
    assert rows == [{"x": 1, "y": "x"}, {"x": 2, "y": "y"}, {"x": 3, "y": "z"}]


@pytest.mark.slow
def test_rows_that_are_kept_otherwise_than_they_came_are_not_held_against_the_contract(landed: ProductHere) -> None:
    hidden = landed("contract", "amend", "t", "--reclassify", "a=secret", "--json", expect=[0]).json
    landed("approve", hidden["proposal"]["id"], "--reason", "ticket 3", expect=[0])
    (landed.home.parent / "in" / "t_2.csv").write_text("a,b,zone\n3,z,UTC\n")
    landed("run", str(landed.home.parent / "in"), expect=[0])
    added = landed("contract", "amend", "t", "--add", "zone:string", "--json", expect=[0]).json
    assert (added["empirical"]["contradicts"], added["empirical"]["is_complete"]) == ([], True)
    ruled = landed("contract", "amend", "t", "--rule", "low: range a 0..9", "--json", expect=[0]).json
    assert (ruled["empirical"]["files_read"], ruled["empirical"]["newly_failing"]) == (2, 0)


TOGETHER = """
import csv

from casparian_flow.sdk import Column, PluginMetadata

MANIFEST = PluginMetadata(outputs={
    "people": [Column("id", "int64"), Column("name", sensitivity="personal", treatment="pseudonym")],
    "calls": [Column("caller", "int64")],
})

def parse(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    yield "people", [{"id": row["id"], "name": row["name"]} for row in rows]
    yield "calls", [{"caller": row["caller"]} for row in rows]
"""


@pytest.mark.slow
def test_what_a_proof_promises_holds_for_every_table_of_a_file_and_for_pseudonyms(
    product_here: ProductHere, tmp_path: Path
) -> None:
    parser, folder = tmp_path / "calls.py", tmp_path / "calls"
    parser.write_text(TOGETHER)
    folder.mkdir()
    for at in range(3):
        (folder / f"c_{at}.csv").write_text(f"id,name,caller\n{at},ann,{at}\n{at}.5,bob,{at + 1}\n")
    product_here("run", str(folder), "--parser", str(parser), expect=[3])
    asked = ("contract", "amend", "people", "--widen", "id:decimal(20,1)", "--reason", "halves", "--json")
    amended = product_here(*asked, expect=[0]).json
    assert {each["table"] for each in amended["impact"]["replays"]} == {"people", "calls"}
    product_here("approve", amended["proposal"]["id"], "--reason", "reviewed", expect=[0])
    shown = product_here("contract", "show", amended["proposal"]["id"], "--json", expect=[0]).json
    there = product_here("contract", "show", "people", "--json", expect=[0]).json
    named = ("table", "version", "state", "origin", "decided_by", "proposed_by")
    assert [shown["contract"][each] for each in named] == [there["contract"][each] for each in named]
    assert shown["decision_reason"] == there["decision_reason"] == "reviewed"
    assert shown["contract"]["decided_by"] and shown["contract"]["origin"] == "approved"
    [replay] = product_here("replay", "list", "--json", expect=[0]).json["replays"]
    assert (replay["stage"], replay["stop_reason"]) == ("done", None)
    assert (product_here.table("people").num_rows, product_here.table("calls").num_rows) == (6, 6)


@pytest.mark.slow
def test_a_proposal_for_which_no_file_speaks_any_more_is_void_and_says_why(landed: ProductHere) -> None:
    file = landed.home.parent / "in" / "t_2.csv"
    file.write_text("a,b,zone\n3,x,UTC\n")
    [drafted] = landed("run", str(file.parent), "--json", expect=[0]).json["drafted"]
    landed("contract", "propose", drafted["proposal"], expect=[0])
    file.write_text("a,b\n3,x\n")
    landed("run", str(file.parent), expect=[0])
    assert landed("approval", "list", "--json", expect=[0]).json["proposals"] == []
    shown = landed("approval", "show", drafted["proposal"], expect=[0]).out
    assert "void" in shown and "no file asks for it any more" in shown


@pytest.mark.slow
def test_an_approved_change_whose_files_are_gone_says_so_and_lets_their_rows_wait(landed: ProductHere) -> None:
    file = landed.home.parent / "in" / "t_2.csv"
    file.write_text("a,b\n3.5,x\n")
    landed("run", str(file.parent), expect=[3])
    widened = landed("contract", "amend", "t", "--widen", "a:decimal(20,1)", "--json", expect=[0]).json
    assert widened["empirical"]["released"] == 1
    file.unlink()
    landed("scan", str(file.parent), expect=[0])
    said = landed("approve", widened["proposal"]["id"], "--reason", "halves", expect=[0]).out
    assert "nothing was read again: 1 file is gone, and the rows stay as they are\n" in said
    [group] = landed("quarantine", "list", "--json", expect=[0]).json["groups"]
    assert (group["rows"], group["state"]) == (1, "open")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "mended"),
    [
        (("--narrow", "b:int64"), "widen b to string"),
        (("--rule", "short: range a 0..1"), "drop rule short"),
        (("--drop", "b"), "add b string null"),
    ],
)
def test_what_a_person_no_longer_wants_is_not_asked_back_by_the_files_of_which_that_was_known(
    landed: ProductHere, option: tuple[str, str], mended: str
) -> None:
    folder = landed.home.parent / "in"
    _approve(landed, *option)
    assert landed("approval", "list", "--json", expect=[0]).json["proposals"] == []
    _approve(landed, "--add", "zone:string notnull")
    assert landed("approval", "list", "--json", expect=[0]).json["proposals"] == [], "the next version reads them again"
    (folder / "t_2.csv").write_text("a,b,zone\n7,w,UTC\n")
    drafted = landed("run", str(folder), "--json").json["drafted"]
    assert [each["what"] for each in drafted] == [mended], "of a new file nobody knew"


@pytest.mark.slow
def test_what_an_amendment_read_again_is_taken_back_whole_by_the_command_that_it_names(landed: ProductHere) -> None:
    folder = landed.home.parent / "in"
    for at in range(2, 5):
        (folder / f"t_{at}.csv").write_text(f"a,b\n{at}1,x\n{at}2,y\n")
    landed("run", str(folder), expect=[0])
    before = landed.table("t").sort_by("a")
    said = _approve(landed, "--rule", "few: range a 0..1")
    [named] = [line.removeprefix("undo: ") for line in said.splitlines() if line.startswith("undo: ")]
    shown = landed("replay", "show", "1", expect=[0]).out
    assert f"undo      {named}\n" in shown and "the contract stays" in shown and "the contract stays" in said
    assert "rows: 0 released, 0 still in quarantine, 7 newly rejected, 7 accepted ones lost\n" in said
    assert landed.table("t").num_rows == 1
    landed(*named.split()[1:], "--yes", expect=[0])
    assert landed.table("t").sort_by("a") == before
    assert landed("contract", "show", "t", "--json", expect=[0]).json["contract"]["version"] == 2


def _approve(landed: ProductHere, *options: str) -> str:
    asked = landed("contract", "amend", "t", *options, "--json", expect=[0]).json["proposal"]["id"]
    return landed("approve", asked, "--reason", "meant", expect=[0]).out


@pytest.mark.slow
def test_a_column_that_comes_where_another_one_is_gone_is_said_to_be_that_one_renamed(landed: ProductHere) -> None:
    folder = landed.home.parent / "in"

    def hints() -> dict[str, list[str]]:
        drafts = landed("approval", "list", "--json", expect=[0]).json["proposals"]
        shown = [landed("approval", "show", each["id"], "--json", expect=[0]).json for each in drafts]
        return {each["proposal"]["what"]: each["hints"] for each in shown if each["operations"][0]["op"] == "add"}

    # `size` fits the whole numbers of `a`, which no file has that has it; `word` does not, and `b` is there.
    (folder / "t_2.csv").write_text("size,b,word\n3,x,u\n4,y,v\n")
    landed("run", str(folder), expect=[0, 3])
    command = "casparian contract amend t --rename a=size"
    hint = f"size may be a under another name: no file that has it has a; {command}"
    assert hints() == {"add size int64 null": [hint], "add word string null": []}
    [name] = [
        each["id"] for each in landed("approval", "list", "--json").json["proposals"] if "add size" in each["what"]
    ]
    assert f"or         {hint}\n" in landed("approval", "show", name, expect=[0]).out
    # One file that has both: then `size` is no other name of `a`.
    (folder / "t_3.csv").write_text("a,b,size\n5,z,6\n")
    landed("run", str(folder), expect=[0, 3])
    assert hints()["add size int64 null"] == []
    landed(*command.split()[1:], expect=[0])


def test_a_proposal_is_shown_as_the_contract_that_would_be_beside_the_one_in_force(landed: ProductHere) -> None:
    change = ("--add", "c:string", "--widen", "a:decimal(25,2)", "--rename", "b=name", "--rule", "low: range a 0..9")
    name = landed("contract", "amend", "t", *change, "--json", expect=[0]).json["proposal"]["id"]
    detail = landed("contract", "show", name.lower(), "--json", expect=[0]).json
    assert (detail["is_proposed"], detail["proposal"], detail["contract"]["state"]) == (True, name, "proposed")
    assert (detail["contract"]["id"], detail["contract"]["version"]) == (1, 2)
    assert [(each["name"], each["type"]) for each in detail["fields"]] == [
        ("a", "decimal(25,2)"),
        ("name", "string"),
        ("c", "string"),
    ]
    assert [(each["what"], each["before"], each["after"]) for each in detail["changes"]] == [
        ("column", "a int64", "a decimal(25,2)"),
        ("column", "b string", "name string"),
        ("column", None, "c string"),
        ("rule", None, "low: range a 0..9"),
    ]
    out = landed("contract", "show", name, expect=[0]).out
    assert "would be  t version 2, which changes contract 1\n" in out
    assert "~ column  b string -> name string\n" in out and "+ column  c string\n" in out
    in_force = landed("contract", "show", "t", "--json", expect=[0]).json
    assert (in_force["is_proposed"], in_force["changes"], in_force["contract"]["version"]) == (False, [], 1)
    landed("approve", name, "--reason", "as shown", expect=None)
    assert landed("contract", "show", "t", "--json", expect=[0]).json["hash"] == detail["hash"]
    assert landed("contract", "show", name, "--json", expect=[0]).json["changes"] == detail["changes"]
    dropped = landed("contract", "amend", "t", "--drop", "c", "--json", expect=[0]).json["proposal"]["id"]
    assert "- column  c string\n" in landed("contract", "show", dropped, expect=[0]).out
    assert "there is no proposal A-99" in landed("contract", "show", "A-99", expect=[5]).err


@pytest.mark.slow
def test_numbers_that_come_as_json_are_said_to_be_no_text_before_they_are_read_as_text(
    product_here: ProductHere, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()

    def sales(name: str, rows: list[tuple[object, str]]) -> None:
        with closing(sqlite3.connect(folder / name)) as shop, shop:
            shop.execute("CREATE TABLE sales (id, name TEXT)")
            shop.executemany("INSERT INTO sales VALUES (?, ?)", rows)

    sales("shop_1.db", [(1, "a"), (2, "b")])
    (folder / "plain.csv").write_text("id,name\n1,a\n")
    product_here("run", str(folder), expect=[0])
    [table] = [name for name in product_here.tables() if "sales" in name]
    sales("shop_2.db", [(3, "c"), ("four", "d"), (5, "e")])  # numbers and text in one column come as JSON
    product_here("run", str(folder), expect=[3])
    assert product_here.table(table)["id"].to_pylist() == [1, 2, 3, 5]

    def widened(table: str) -> tuple[bool, list[str], int, str]:
        shown = product_here("contract", "amend", table, "--widen", "id:string", "--json", expect=[0]).json
        seen = shown["empirical"]
        return shown["static"]["reads_old"], seen["contradicts"], seen["newly_failing"], shown["proposal"]["id"]

    assert widened("plain")[:3] == (True, [], 0)
    reads_old, contradicts, failing, name = widened(table)
    assert (reads_old, contradicts, failing) == (False, [], 2)
    assert "id comes as JSON, of which only strings are text" in product_here("approval", "show", name, expect=[0]).out


def test_files_of_an_earlier_shape_stay_in_their_table_and_new_ones_join_it(product_here: ProductHere) -> None:
    product, folder = product_here, product_here.home.parent / "in"
    folder.mkdir()
    (folder / "fw_1.csv").write_text("id,day\n1,2026-03-01\n2,2026-03-02\n")
    product("run", str(folder), expect=[0])
    (folder / "fw_2.csv").write_text("id,day,a,b,c\n3,2026-03-03,x,y,z\n")
    product("run", str(folder), expect=[0])
    drafted = product("contract", "amend", "fw", "--from-data", "--json", expect=[0]).json["proposal"]["id"]
    product("approve", drafted, "--reason", "ticket 1", expect=[0])
    product("run", str(folder), "--force", expect=[0])
    assert sorted(product.table("fw")["id"].to_pylist()) == [1, 2, 3]
    (folder / "fw_3.csv").write_text("id,day\n4,2026-03-04\n")
    product("run", str(folder), expect=[0])
    assert sorted(product.table("fw")["id"].to_pylist()) == [1, 2, 3, 4]
    tables = [table["table"] for table in product("tables", "--json", expect=[0]).json["tables"]]
    assert [name for name in tables if name.startswith("fw")] == ["fw"]


def test_a_row_of_a_file_that_is_read_again_for_the_proof_counts_once(product_here: ProductHere) -> None:
    product, folder = product_here, product_here.home.parent / "in"
    folder.mkdir()
    (folder / "f_1.csv").write_text("id,proto\n1,a\n2,b\n3,a\n")
    product("run", str(folder), "--table", "f", expect=[0])
    ruled = product("contract", "amend", "f", "--rule", "r: set proto a b", "--json", expect=[0]).json["proposal"]["id"]
    product("approve", ruled, "--reason", "ticket 1", expect=[0])
    (folder / "f_2.csv").write_text("id,proto\n4,a\n5,b\n6,c\n")
    product("run", str(folder), "--table", "f", expect=[3])
    seen = product("contract", "amend", "f", "--relax", "r: set proto c", "--json", expect=[0]).json["empirical"]
    assert (seen["rows_checked"], seen["newly_failing"], seen["released"]) == (6, 5, 1)
