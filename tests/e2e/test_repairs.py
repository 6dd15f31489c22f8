"""Values that a person puts right hold for those bytes, however often they are read, until they are revoked."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from product import ProductHere

GOOD = "id,name,n\n1,ann,1\n2,bob,2\n"


@pytest.fixture
def folder(product_here: ProductHere, tmp_path: Path) -> Path:
    """Sources that were read: one good file, and one with a bad value, a short record and two faults in one row."""
    made = tmp_path / "in"
    made.mkdir()
    (made / "p_1.csv").write_text(GOOD)
    product_here.run(str(made))
    (made / "p_2.csv").write_text("id,name,n\n3,cy,NA\n4,dee\n5,eve,5\nsix,fay,x\n")
    product_here.run(str(made))
    return made


def rows(product: ProductHere) -> list[tuple[Any, ...]]:
    table = product.table("p").select(["id", "name", "n"]).to_pylist()
    return sorted(tuple(row.values()) for row in table)


def rejected(product: ProductHere) -> list[int]:
    return sorted(product.table("p", Role.QUARANTINE)["_cf_source_row"].to_pylist())


def test_a_repair_takes_effect_with_the_next_run_and_the_row_says_so(product_here: ProductHere, folder: Path) -> None:
    before = rows(product_here)
    assert rejected(product_here) == [1, 2, 4]
    made = product_here(
        "quarantine", "repair", f"{folder / 'p_2.csv'}:1", "--set", "n=7", "--reason", "asked cy", "--json", expect=[0]
    ).json
    assert (made["before"], made["after"], made["path"]) == ({"n": "NA"}, {"n": "7"}, "p_2.csv")
    (group,) = product_here("quarantine", "list", "--state", "fix_ready", "--json").json["groups"]
    assert (group["column"], group["fix"]) == ("n", f"casparian quarantine replay {group['group']}")
    plan = product_here("plan", str(folder), "--json").json
    assert plan["counts"] == {"skip up_to_date": 1, "run quarantine_reopened": 1}
    product_here.run(str(folder))
    assert rows(product_here) == sorted([*before, (3, "cy", 7)])
    assert rejected(product_here) == [2, 4]
    found = product_here.table("p").to_pylist()
    (repaired,) = [row for row in found if row["id"] == 3]
    assert repaired["_cf_rescued"] == [{"column": "n", "raw": "NA", "code": "cf.repaired"}]
    assert product_here("plan", str(folder), "--json").json["counts"] == {"skip up_to_date": 2}


def test_a_repair_survives_that_everything_is_read_anew_and_its_revocation_undoes_it(
    product_here: ProductHere, folder: Path
) -> None:
    before = product_here.content()
    product_here("quarantine", "repair", f"{folder / 'p_2.csv'}:1", "--set", "n=7", "--reason", "r", expect=[0])
    product_here.run(str(folder))
    once = product_here.content()
    assert once != before
    product_here.run(str(folder), "--force")
    assert product_here.content() == once
    (held,) = product_here("repair", "--json").json["repairs"]
    product_here("repair", "revoke", str(held["id"]), expect=[0])
    assert product_here("repair", "--json").json["repairs"] == []
    assert product_here("plan", str(folder), "--json").json["counts"]["run quarantine_reopened"] == 1
    product_here.run(str(folder))
    assert product_here.content() == before
    again = json.loads(product_here("repair", "revoke", str(held["id"]), "--json", expect=[5]).err)
    assert (again["message"], again["fix"]) == (
        f"repair {held['id']} does not hold any more", "casparian repair list --revoked",
    )  # fmt: skip
    assert again["why"].startswith("it was revoked at 20")


def test_a_record_that_could_not_be_read_is_written_out_and_keeps_its_bytes(
    product_here: ProductHere, folder: Path
) -> None:
    record = f"{folder / 'p_2.csv'}:2"
    values = ("--set", "id=4", "--set", "name=dee", "--null", "n")
    product_here("quarantine", "repair", record, *values, "--reason", "cut line", expect=[0])
    (ready,) = product_here("quarantine", "list", "--state", "fix_ready", "--json").json["groups"]
    assert (ready["code"], ready["shape"]) == ("cf.csv.arity", "too few fields")
    product_here.run(str(folder))
    (row,) = [row for row in product_here.table("p").to_pylist() if row["id"] == 4]
    assert (row["name"], row["n"], row["_cf_source_row"]) == ("dee", None, 2)
    assert row["_cf_rescued"] == [{"column": "", "raw": "4,dee\n", "code": "cf.repaired"}]


def test_what_could_not_become_a_row_is_refused_with_what_is_left(product_here: ProductHere, folder: Path) -> None:
    def said(place: str, *words: str, code: int = 2) -> str:
        return product_here("quarantine", "repair", place, *words, "--reason", "r", expect=[code]).err

    file = str(folder / "p_2.csv")
    assert "'seven' is no int64" in said(f"{file}:1", "--set", "n=seven")
    assert "has no column 'm'" in said(f"{file}:1", "--set", "m=7")
    assert "still be rejected for n" in said(f"{file}:4", "--set", "id=6")
    assert "there is no row" in said(f"{file}:99", "--set", "n=7", code=5)
    assert product_here("repair", "--json").json["repairs"] == []
    product_here("quarantine", "repair", f"{file}:4", "--set", "id=6", "--set", "n=6", "--reason", "r", expect=[0])


def test_a_value_that_a_column_does_not_take_is_refused_with_the_form_that_it_takes(
    product_here: ProductHere, tmp_path: Path
) -> None:
    file = tmp_path / "s_2.csv"
    (tmp_path / "s_1.csv").write_text("id;day;amount\n1;01.03.2026;1.5\n2;13.03.2026;2.5\n")
    product_here.run(str(tmp_path))
    file.write_text("id;day;amount\n4;0x.03.2026;1.5\n5;05.03.2026;1,5\n")
    product_here.run(str(tmp_path))

    def said(place: int, value: str) -> dict[str, Any]:
        words = ("quarantine", "repair", f"{file}:{place}", "--set", value, "--reason", "r", "--json")
        return dict(json.loads(product_here(*words, expect=[2]).err))

    shown = said(1, "day=2026-03-04")
    assert (shown["message"], shown["why"]) == ("'2026-03-04' is no date", "day is written as %d.%m.%Y")
    assert said(1, "day=soon")["fix"] == "a value such as 31.12.2026"
    assert said(2, "amount=1,5")["fix"] == "a value such as 12.5"
    made = product_here(*shlex.split(shown["fix"])[1:], expect=[0]).json
    assert made["after"] == {"day": "04.03.2026"}
    product_here.run(str(tmp_path))
    assert "2026-03-04" in map(str, product_here.table("s")["day"].to_pylist())


def test_a_row_that_was_accepted_is_not_repaired(product_here: ProductHere, folder: Path) -> None:
    wrong = (f"{folder / 'p_2.csv'}:3", "--set", "n=77", "--reason", "typed 3 for 1")
    said = product_here("quarantine", "repair", *wrong, expect=[2]).err
    assert "is not in quarantine: it was accepted, and is in p" in said and "casparian quarantine show GROUP" in said
    assert product_here("repair", "--json").json["repairs"] == []
    assert product_here("plan", str(folder), "--json").json["counts"] == {"skip up_to_date": 2}


def test_the_run_that_a_repair_names_reads_the_file_as_it_was_read_and_moves_no_row(
    product_here: ProductHere, tmp_path: Path
) -> None:
    made = tmp_path / "in"
    made.mkdir()
    asked = ("in", "--table", "traffic", "--option", "null=-")
    (made / "mon.psv").write_text("id|bytes\n1|10\n2|-\n")
    product_here("run", *asked, cwd=tmp_path, expect=[0])
    (made / "tue.psv").write_text("id|bytes\n1|-\n3|4O\n")
    product_here("run", *asked, cwd=tmp_path, expect=[3])

    def repaired(*words: str) -> str:
        reply = product_here("quarantine", "repair", *words, "--reason", "r", "--json", cwd=tmp_path, expect=[0])
        return str(reply.json["next"])

    def follow(command: str) -> Any:
        return product_here(*shlex.split(command)[1:], "--json", cwd=tmp_path, expect=[0]).json

    one = repaired("in/tue.psv:2", "--set", "bytes=40")
    assert one == shlex.join(["casparian", "run", *asked])
    assert follow(one)["moved"] == []
    ids = [(row["id"], row["bytes"]) for row in product_here.table("traffic").to_pylist()]
    assert sorted(ids, key=str) == [(1, 10), (1, None), (2, None), (3, 40)]
    product_here("run", "in/mon.psv", cwd=tmp_path, expect=[0])
    (held,) = product_here("repair", "--json").json["repairs"]
    taken_back = product_here("repair", "revoke", str(held["id"]), "--json", cwd=tmp_path, expect=[0]).json
    assert taken_back["next"] == "casparian run in/tue.psv --table traffic --option null=-", "mon.psv is in mon by now"


def test_who_writes_a_record_out_is_told_which_columns_hold_nothing(product_here: ProductHere, folder: Path) -> None:
    record = ("quarantine", "repair", f"{folder / 'p_2.csv'}:2", "--reason", "cut line")
    made = product_here(*record, "--set", "id=4", "--null", "n", expect=[0]).out.splitlines()
    assert made[1:4] == ['  id: "4,dee\\n" -> "4"', '  n: "4,dee\\n" -> null', "  name: -> null"]
    once_more = product_here(*record, "--set", "id=44", "--json", expect=[0]).json
    assert (once_more["after"], once_more["nulls"]) == ({"id": "44", "n": None}, ["name"])
    product_here.run(str(folder))
    (row,) = [row for row in product_here.table("p").to_pylist() if row["id"] == 44]
    assert (row["name"], row["n"]) == (None, None)
    stands = product_here(*record, "--set", "n=9", "--json", expect=[0]).json
    assert stands["nulls"] == ["name"], "what stands was written out, too"
    cell = ("quarantine", "repair", f"{folder / 'p_2.csv'}:1", "--set", "n=7", "--reason", "r", "--json")
    assert product_here(*cell, expect=[0]).json["nulls"] == [], "only a value of it was put right"
    (first, *_) = product_here("repair", "--json").json["repairs"]
    assert product_here("repair", "revoke", str(first["id"]), "--json", expect=[0]).json["nulls"] == []


@pytest.mark.slow
def test_a_second_repair_of_a_row_stands_on_the_first_and_knows_what_the_file_held(
    product_here: ProductHere, folder: Path
) -> None:
    place = f"{folder / 'p_2.csv'}:1"
    product_here("quarantine", "repair", place, "--set", "n=7", "--reason", "guessed", expect=[0])
    product_here.run(str(folder))
    again = product_here(
        "quarantine", "repair", place, "--set", "n=8", "--set", "name=cyd", "--reason", "asked", "--json", expect=[0]
    )
    assert again.json["before"] == {"n": "NA", "name": "cy"}
    product_here.run(str(folder))
    assert (3, "cyd", 8) in rows(product_here)
    assert [each["revoked"] is None for each in product_here("repair", "--revoked", "--json").json["repairs"]] == [
        True,
        False,
    ]


@pytest.mark.slow
def test_values_of_a_column_that_is_closed_later_are_listed_to_nobody(product_here: ProductHere, folder: Path) -> None:
    file = folder / "p_2.csv"
    product_here("quarantine", "repair", f"{file}:1", "--set", "n=7001", "--reason", "r", expect=[0])
    product_here(
        "quarantine", "repair", f"{file}:2", "--set", "id=4", "--set", "name=dora", "--reason", "r", expect=[0]
    )
    hidden = product_here("contract", "amend", "p", "--reclassify", "n=secret", "--json", expect=[0]).json
    product_here("approve", hidden["proposal"]["id"], "--reason", "ticket 7", expect=[0])
    told = product_here("repair", "--revoked", "--json").json["repairs"]
    assert [each["after"] for each in told] == [{"id": "4", "name": "dora"}, {"n": "‹secret 4 chars›"}]
    assert [each["revoked"] is None for each in told] == [True, False], "it cannot hold without its value"
    line = "‹undeclared 6 chars›"
    assert [each["before"] for each in told] == [{"id": line, "name": line}, {"n": "‹secret 2 chars›"}]
    revoked = product_here("repair", "revoke", str(told[0]["id"]), "--json", expect=[0])
    assert "7001" not in product_here("repair").out + revoked.out
