"""Working with the quarantine: who looks after what, and the rejected records as they stand in their files."""

from __future__ import annotations

import sqlite3
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from product import ProductHere

PARSER = """
from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows

MANIFEST = PluginMetadata(pattern="*.staff", outputs={"staff": [Column("name", "string", sensitivity="personal")]})


def parse(path):
    yield "staff", [{"name": "ann"}]
    yield Rejected("staff", "staff.bad", "not one of us", start=4, end=7, raw=b"bob", source_row=2)
"""
HOSTILE = b'five,"f""y",7\x1b[31m\n'


@pytest.fixture
def ran(product_here: ProductHere, tmp_path: Path) -> ProductHere:
    """A home that read one good file of each kind, and then one with faults."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "p_1.csv").write_text("id,name,n\n1,ann,1\n2,bob,2\n")
    (folder / "j_1.jsonl").write_text('{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n')
    (folder / "u_1.csv").write_bytes("id,näme,n\n1,é😀,1\n2,b,2\n3,c,3\n".encode("utf-16"))
    product_here.run(str(folder))
    (folder / "p_2.csv").write_bytes(b"id,name,n\n3,cy,NA\n4,dee,4\n" + HOSTILE)
    (folder / "j_2.jsonl").write_text('{"a":3,"b":"x"}\n{"a":5,"b"\n')
    (folder / "u_2.csv").write_bytes("id,näme,n\n4,é😀,4\n5,é😀\n6,c,6\n7,d,7\n".encode("utf-16"))
    product_here.run(str(folder))
    return product_here


def group_of(ran: ProductHere, code: str, column: str = "") -> dict[str, Any]:
    groups = ran("quarantine", "--json", expect=[0]).json["groups"]
    (found,) = [each for each in groups if (each["code"], each["column"]) == (code, column)]
    return dict(found)


def raw_of(ran: ProductHere, code: str, column: str = "") -> dict[str, Any]:
    asked = ran("quarantine", "show", group_of(ran, code, column)["group"], "--raw", "--json", expect=[0])
    (record,) = asked.json["records"]
    return dict(record)


def at_fault(record: dict[str, Any]) -> str:
    return str(record["text"][record["fault_start"] : record["fault_end"]])


def test_the_record_is_shown_from_its_source_with_the_fault_in_it(ran: ProductHere) -> None:
    cast = raw_of(ran, "cf.cast.int64", "n")
    assert (cast["text"], at_fault(cast), cast["trouble"]) == ("3,cy,NA", "NA", None)
    broken = raw_of(ran, "cf.json.syntax")
    assert (broken["text"], broken["fault_start"], at_fault(broken)) == ('{"a":5,"b"', 10, "")
    wide = raw_of(ran, "cf.csv.arity")
    assert (wide["text"], wide["fault_start"]) == ("5,é😀", 4)


def test_a_record_that_would_command_the_terminal_is_inert_there(ran: ProductHere) -> None:
    group = group_of(ran, "cf.cast.int64", "id")["group"]
    shown = ran("quarantine", "show", group, "--raw", "-f", "table", expect=[0])
    assert "\x1b" not in shown.out
    assert r'  five,"f""y",7\x1b[31m' in shown.out
    assert "\n  ^^^^\n" in shown.out


@pytest.mark.slow
def test_of_a_source_that_changed_no_other_bytes_are_shown(ran: ProductHere, tmp_path: Path) -> None:
    path = tmp_path / "in" / "p_2.csv"
    path.write_bytes(path.read_bytes().replace(b"3,cy,NA", b"8,xx,99"))
    changed = raw_of(ran, "cf.cast.int64", "n")
    assert (changed["text"], changed["fault_start"]) == ("", None)
    assert "changed since it was read" in changed["trouble"]
    path.unlink()
    assert "cannot be read" in raw_of(ran, "cf.cast.int64", "n")["trouble"]


@pytest.mark.slow
def test_a_cause_has_an_owner_a_state_and_an_age_and_says_what_may_help(ran: ProductHere) -> None:
    before = group_of(ran, "cf.cast.int64", "n")
    assert (before["state"], before["owner"], before["age_days"], before["fix"]) == (
        "open",
        None,
        0,
        "--option null=NA",
    )
    (drafted,) = [
        each["id"]
        for each in ran("approval", "list", "--json").json["proposals"]
        if each["table"] == "p" and each["what"].startswith("widen n ")
    ]
    assert before["proposal"] == drafted
    said = ran("quarantine", "triage", before["group"][:6], "--owner", "dana", "--note", "ticket 5512", "--json")
    assert (said.json["moved"], said.json["group"]["state"]) == (1, "triaged")
    after = group_of(ran, "cf.cast.int64", "n")
    assert (after["state"], after["owner"], after["note"]) == ("triaged", "dana", "ticket 5512")
    mine = ran("quarantine", "list", "--owner", "dana", "--state", "triaged", "--json").json
    assert [each["group"] for each in mine["groups"]] == [before["group"]]
    assert mine["next"] == [f"casparian quarantine show {before['group']}"]
    ran("quarantine", "triage", before["group"], "--state", "open", "--owner", "", expect=[0])
    again = group_of(ran, "cf.cast.int64", "n")
    assert (again["state"], again["owner"], again["note"]) == ("open", None, "ticket 5512")


@pytest.mark.slow
def test_what_was_decided_about_a_cause_outlives_that_its_file_is_read_again(ran: ProductHere, tmp_path: Path) -> None:
    group = group_of(ran, "cf.cast.int64", "n")
    ran("quarantine", "triage", group["group"], "--owner", "dana", expect=[0])
    ran.run(str(tmp_path / "in"), "--force")
    after = group_of(ran, "cf.cast.int64", "n")
    assert (after["state"], after["owner"], after["rows"]) == ("triaged", "dana", 1)
    assert after["first_seen"] == group["first_seen"] < after["last_seen"]


def test_what_comes_next_is_about_the_causes_that_are_shown(ran: ProductHere) -> None:
    groups = ran("quarantine", "--json", expect=[0]).json["groups"]
    for asked in (["--where", "table=u"], ["--table", "u"], ["--sort", "-table", "--limit", "1"]):
        shown = ran("quarantine", *asked, "--json", expect=[0]).json
        assert [each["table"] for each in shown["groups"]] == ["u"] != [groups[0]["table"]]
        command = f"casparian quarantine show {shown['groups'][0]['group']}"
        assert shown["next"] == [command]
        assert ran("quarantine", *asked, "--format", "table").err.splitlines()[-1] == f"next: {command}"
        assert ran("quarantine", *asked, "--agent").json["hints"] == [command]
    for asked in (["--where", "table=z"], ["--table", "z"]):
        assert ran("quarantine", *asked, "--json", expect=[0]).json["next"] == []
        assert ran("quarantine", *asked, "--format", "table").err == "no cause fits\n"


def test_the_hint_of_a_second_cause_keeps_what_the_first_one_brought(product_here: ProductHere, tmp_path: Path) -> None:
    (tmp_path / "t_1.csv").write_text("id,a,b\n1,1,1\n2,2,2\n")
    product_here.run(str(tmp_path / "t_1.csv"))
    (tmp_path / "t_2.csv").write_text("id,a,b\n3,N/A,3\n4,4,-\n5,5,5\n")
    product_here.run(str(tmp_path / "t_2.csv"))
    first = group_of(product_here, "cf.cast.int64", "a")
    hints = (first["fix"], group_of(product_here, "cf.cast.int64", "b")["fix"])
    assert hints == ("--option null=N/A", "--option null=-")
    product_here("quarantine", "replay", first["group"], *hints[0].split(), expect=[0, 3])
    second = group_of(product_here, "cf.cast.int64", "b")
    assert second["fix"] == "--option null=N/A,-"
    product_here("quarantine", "replay", second["group"], *second["fix"].split(), expect=[0])
    assert product_here("quarantine", "--json").json["groups"] == []
    found = product_here.table("t").select(["id", "a", "b"]).to_pylist()
    assert sorted(tuple(row.values()) for row in found)[2:] == [(3, None, 3), (4, 4, None), (5, 5, 5)]


@pytest.mark.slow
def test_a_full_quarantine_holds_the_file_and_drops_no_row(product_here: ProductHere, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "p_1.csv").write_text("id,name,n\n1,ann,1\n2,bob,2\n")
    product_here.run(str(folder))
    (folder / "p_2.csv").write_text("id,name,n\n" + f"x,{'y' * 80},3\n" * 3000)
    (folder / "p_3.csv").write_text("id,name,n\n" + f"x,{'y' * 80},3\n" * 3000 + "4,dee,4\n")
    full = product_here.run(str(folder), "--set", "governance.quarantine_mb=1", "--set", "run.workers=1", expect=[3])
    assert [(each["code"], "of 1.0 MB for the quarantine" in each["message"]) for each in full["failures"]] == [
        ("quarantine-full", True)
    ]
    assert (len(product_here.table("p")), len(product_here.table("p", Role.QUARANTINE))) in ((2, 3000), (3, 3000))
    cap = ("--set", "governance.quarantine_mb=1")
    held = product_here("plan", str(folder), *cap, "--json", expect=[0]).json
    assert held["counts"] == {"skip up_to_date": 2, "skip held_by_policy": 1}
    room = product_here("plan", str(folder), "--json", expect=[0]).json
    assert room["counts"] == {"skip up_to_date": 2, "run hold_lifted": 1}
    product_here.run(str(folder), expect=[3])
    assert (len(product_here.table("p")), len(product_here.table("p", Role.QUARANTINE))) == (3, 6000)


@pytest.mark.slow
def test_a_row_of_a_database_is_shown_with_the_value_at_fault(product_here: ProductHere, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, rows in {"a_1.db": [(1, 5, "a"), (2, 6, "b")], "a_2.db": [(7, 5, "a"), (9, "oops", "b")]}.items():
        with closing(sqlite3.connect(folder / name)) as made:
            made.execute("CREATE TABLE People (id INTEGER PRIMARY KEY, n, name TEXT)")
            made.executemany("INSERT INTO People VALUES (?, ?, ?)", rows)
            made.commit()
        product_here.run(str(folder))
    record = raw_of(product_here, "cf.cast.int64", "n")
    assert (record["text"], at_fault(record)) == ('{"id": 9, "n": "oops", "name": "b"}', '"oops"')
    (folder / "a_2.db-wal").write_bytes(b"changes")
    assert raw_of(product_here, "cf.cast.int64", "n")["text"] == ""


def test_records_of_classed_tables_are_not_shown_to_who_may_only_read(
    product_here: ProductHere, tmp_path: Path
) -> None:
    plugins = product_here.home / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "staff.py").write_text(PARSER)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.staff").write_text("ann\nbob\n")
    product_here("run", str(folder), "--parser", "staff", expect=[0, 3])
    closed = raw_of(product_here, "staff.bad")
    assert (closed["is_closed"], closed["text"]) == (True, "")


UNPACKER = """
import tarfile
import zipfile
from casparian_flow.sdk import Column, PluginMetadata, Rejected

MANIFEST = PluginMetadata(pattern="*.pack", outputs={"packed": [Column("name", "string")]})


def parse(path):
    yield "packed", [{"name": "ann"}]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            data = archive.read("staff.csv")
        start = data.index(b"bob")
        yield Rejected("packed", "packed.spot", "no", start=start, end=start + 3, raw=b"bob", source_row=2)
        yield Rejected("packed", "packed.place", "no", locator="staff.csv: line 2", raw=b"bob", source_row=3)
    else:
        with tarfile.open(path) as archive:
            start = archive.getmember("staff.csv").offset_data + 4
        yield Rejected("packed", "packed.tarred", "no", start=start, end=start + 3, raw=b"bob", source_row=2)
"""


@pytest.mark.slow
def test_of_a_record_in_a_member_of_an_archive_its_place_is_told_and_no_other_bytes(
    product_here: ProductHere, tmp_path: Path
) -> None:
    plugins = product_here.home / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "packed.py").write_text(UNPACKER)
    folder = tmp_path / "in"
    folder.mkdir()
    member = folder / "staff.csv"
    member.write_text("ann\nbob\n" + "eve\n" * 99)
    with zipfile.ZipFile(folder / "a.pack", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.write(member, "staff.csv")
    with tarfile.open(folder / "b.pack", "w") as tarred:
        tarred.add(member, "staff.csv")
    member.unlink()
    product_here("run", str(folder), "--parser", "packed", expect=[3])
    listed = f"; casparian inspect {folder}/a.pack --archive"
    for code, where in {
        "packed.spot": "record 2, bytes 4 to 7 of what was unpacked",
        "packed.place": "staff.csv: line 2",
    }.items():
        record = raw_of(product_here, code)
        assert (record["text"], record["trouble"]) == (
            "",
            f"it lies packed in a zip file, of which nothing is unpacked here: its parser says {where}{listed}",
        )
        assert "bob" not in str(record["trouble"])
    assert "staff.csv" in product_here("inspect", str(folder / "a.pack"), "--archive", expect=[0]).out
    assert raw_of(product_here, "packed.tarred")["text"] == "bob"  # in a tar it stands as it is
