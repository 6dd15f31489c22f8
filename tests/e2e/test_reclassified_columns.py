"""Columns that somebody closes later: what lands from then on is treated, and what may be seen is asked for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from api_service import running_api
from casparian_flow.operations.quarantine.raw import RevealRaw
from planted import places_of
from product import Product, ProductHere

FIRST = "id,ssn,amount\n1,SSN-Alpha-0417,5\n2,SSN-Beta-2210,6\n"
LATER = "id,ssn,amount\n3,SSN-Alpha-0417,7\n4,SSN-Gamma-3131,x8\n"
OTHER = "ref,ssn,u,v,w,x,y,z\n5,SSN-Delta-4141,9,1,2,3,4,5\n"


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


@pytest.fixture
def folder(product: Product, tmp_path: Path) -> Path:
    """Files of a table of which one column was closed after the first of them had landed."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "pay_1.csv").write_text(FIRST)
    product("run", str(folder), expect=(0,))
    drafted = product("contract", "amend", "pay", "--reclassify", "ssn=secret", "--json", expect=(0,)).json
    assert drafted["impact"]["keeps_clear_history"]
    product("approve", drafted["proposal"]["id"], "--reason", "ticket 7", expect=(0,))
    (folder / "pay_2.csv").write_text(LATER)
    product("run", str(folder), expect=(0, 3))
    return folder


def test_rows_that_land_later_and_those_read_again_have_pseudonyms(product: Product, folder: Path) -> None:
    values = {row["id"]: row["ssn"] for row in product.table("pay").to_pylist()}
    assert sorted(values) == [1, 2, 3] and values[1] == values[3] != values[2]
    assert places_of(["SSN"], [], map(str, values.values())) == []
    assert places_of(["SSN-Gamma-3131"], [product.home]) == [], "what was never in clear here is nowhere"
    assert places_of(["SSN-Alpha-0417"], [product.home]) != [], "what was, stays: the amendment said so"


def test_only_who_may_decide_sees_closed_records_and_it_is_kept_that_they_did(product: Product, folder: Path) -> None:
    (group,) = [each["group"] for each in product("quarantine", "--json").json["groups"]]
    closed = product("quarantine", "show", group, "--raw")
    assert "SSN-Gamma-3131" not in closed.out + closed.err and "--reveal" in closed.out
    assert product("quarantine", "show", group, "--raw", "--reveal").code == 2, "a reason is needed"
    shown = product("quarantine", "show", group, "--raw", "--reveal", "--reason", "ticket 8", expect=(0,))
    assert "4,SSN-Gamma-3131,x8" in shown.out
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as database:
        (told,) = database.execute("SELECT value FROM cf_meta WHERE key LIKE 'quarantine.revealed.%'").fetchall()
    assert group in told[0] and "ticket 8" in told[0] and "SSN" not in told[0]
    asked = msgspec.to_builtins(RevealRaw(group=group, reason="ticket 8"))
    with running_api(product.home.parent) as api:
        answer = api.change("/v1/quarantine/reveal", asked, "reveal-1")
        assert answer.status == 200 and b"SSN-Gamma-3131" in answer.body
    assert places_of(["SSN-Gamma-3131"], [product.home]) == [], "what was shown is kept nowhere"
    for key in product("key", "list", "--json").json["keys"]:
        product("key", "revoke", key["key"], expect=(0,))
    refused = product("quarantine", "show", group, "--raw", "--reveal", "--reason", "ticket 9")
    assert refused.code == 4 and "SSN-Gamma-3131" not in refused.out + refused.err


def test_a_file_with_other_columns_does_not_lay_the_closed_one_open(product: Product, folder: Path) -> None:
    (folder / "pay_3.csv").write_text(OTHER)
    product("run", str(folder), expect=(0, 3))
    (founded,) = [name for name in product.tables() if name.startswith("pay__")]
    rows = product.table(founded).to_pylist()
    assert [row["ref"] for row in rows] == [5] and len(rows[0]["ssn"]) == 32
    assert places_of(["SSN-Delta-4141"], [product.home]) == []


VISITS = """
from casparian_flow.sdk import Column, PluginMetadata, Rejected

MANIFEST = PluginMetadata(outputs={"users": [Column("ssn", sensitivity="secret")], "visits": [Column("page")]})

def parse(path):
    yield "users", [{"ssn": "SSN-Alpha-0417"}]
    yield Rejected("visits", "cf.visits.odd", "odd", 0, path.stat().st_size)
"""


def test_a_record_of_an_open_table_is_closed_where_its_parser_meets_closed_values(
    product: Product, tmp_path: Path
) -> None:
    folder, parser = tmp_path / "in", tmp_path / "visits.py"
    folder.mkdir()
    parser.write_text(VISITS)
    (folder / "one.txt").write_text("visit of SSN-Alpha-0417\n")
    product("run", str(folder), "--parser", str(parser), expect=(3,))
    (group,) = [each["group"] for each in product("quarantine", "--json").json["groups"]]
    closed = product("quarantine", "show", group, "--raw")
    assert "SSN-Alpha-0417" not in closed.out + closed.err and "--reveal" in closed.out
    product("key", "add", expect=(0,))
    shown = product("quarantine", "show", group, "--raw", "--reveal", "--reason", "ticket 8", expect=(0,))
    assert "visit of SSN-Alpha-0417" in shown.out


def test_a_preview_closes_what_the_contract_in_force_closes(product: Product, folder: Path, tmp_path: Path) -> None:
    """Also of files that no run has read, of a table that such a file would found, and under a contract file."""
    (folder / "pay_3.csv").write_text("id,ssn,amount,extra\n9,SSN-Eps-5151,8,SSN-Zeta-6161\nx1,SSN-Eta,1,\n")
    (folder / "pay_4.csv").write_text(OTHER)
    product("infer", str(folder / "pay_1.csv"), "--write", str(tmp_path / "pay.toml"), expect=(0,))
    views = [
        product("preview", str(folder / name), *options, "--json", expect=(0,)).json["outputs"][0]
        for name in ("pay_1.csv", "pay_2.csv", "pay_3.csv", "pay_4.csv")
        for options in ([], ["--contract", str(tmp_path / "pay.toml")])
    ]
    assert places_of(["SSN-"], [], map(str, views)) == []
    assert [len(each["rows"]) + len(each["rejected"]) for each in views] == [2, 2, 2, 2, 2, 2, 1, 1]
    first, second, third, new = views[::2]
    assert (first["table"], first["version"], len(first["rows"][0][1])) == ("pay", 2, 32)
    assert [row["message"] for row in third["rejected"]] != [] and third["version"] == 2
    assert new["table"].startswith("pay__") and new["version"] is None and len(new["rows"][0][1]) == 32
    lines = product("preview", str(folder / "pay_2.csv"), expect=(0,)).out
    assert "would be rejected:" in lines and "SSN-" not in lines
    assert [row["code"] for row in second["rejected"]] == ["cf.cast.int64"]


def test_a_preview_reads_and_names_a_file_as_the_run_that_read_it(product: Product, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id,ssn\n1,SSN-Alpha-0417\n")
    product("run", str(tmp_path / "in"), "--table", "people", expect=(0,))
    drafted = product("contract", "amend", "people", "--reclassify", "ssn=secret", "--json", expect=(0,)).json
    product("approve", drafted["proposal"]["id"], "--reason", "ticket 7", expect=(0,))
    (view,) = product("preview", str(tmp_path / "in" / "a.csv"), "--json", expect=(0,)).json["outputs"]
    assert (view["table"], view["version"], view["rows"][0][0]) == ("people", 2, "1")
    assert len(view["rows"][0][1]) == 32


def test_what_decided_a_type_is_masked_where_the_contract_in_force_closes_the_column(
    product: Product, folder: Path, tmp_path: Path
) -> None:
    for form in ([], ["--json"], ["--explain"]):
        shown = product("infer", str(folder / "pay_2.csv"), *form, expect=(0,)).out
        assert "amount" in shown and places_of(["SSN-"], [], [shown]) == []
    found = product("infer", str(folder / "pay_2.csv"), "--column", "ssn", "--json", expect=(0,)).json["columns"][0]
    assert {each["value"] for each in found["ruled_out"]} == {"‹secret 14 chars›"}
