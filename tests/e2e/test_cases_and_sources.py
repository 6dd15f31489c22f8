"""Cases that are found by name, and sources that are named, removed and taken back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from product import Product, ProductHere, ask_here

HOSTILE = "sales\x1b[2J\u202e.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text("x,y\n1,2\n3,4\n")
    (folder / "deep" / "b.csv").write_text("x,y\n5,6\n")
    (folder / HOSTILE).write_text("x,y\n7,8\n")
    (folder / os.fsdecode(b"caf\xe9.csv")).write_text("x,y\n9,9\n")
    return folder


class Person:
    """Somebody who names no home: what is found decides."""

    def at(self, cwd: Path, *arguments: str, expect: int = 0) -> str:
        answer = ask_here(*arguments, cwd=cwd, expect=[expect])
        return answer.out + answer.err


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    (tmp_path / "me").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.delenv("CASPARIAN_CASES")
    monkeypatch.setattr("sys.stdin", None)
    return Person()


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


def test_a_case_is_found_by_its_folder_its_name_and_by_being_in_use(person: Person, tmp_path: Path) -> None:
    case, elsewhere = tmp_path / "case", tmp_path / "elsewhere"
    elsewhere.mkdir()
    person.at(tmp_path, "init", "case", "--name", "Fire\x1b[31m 12", "--examiner", "Ann")
    home = str(case / ".casparian")
    assert person.at(case, "config", "path").split() != []
    assert home in person.at(case, "status")
    assert home not in person.at(elsewhere, "status")
    assert home in person.at(elsewhere, "--case", "Fire\x1b[31m 12", "status")
    said = person.at(elsewhere, "case", "use", str(case))
    assert home in said and "\x1b" not in said
    assert home in person.at(elsewhere, "status")
    shown = person.at(elsewhere, "case", "show")
    assert "Ann" in shown and "Fire\\x1b[31m 12" in shown and "disk" in shown
    person.at(elsewhere, "case", "use", "--none")
    assert home not in person.at(elsewhere, "status")


def test_a_chosen_case_that_is_gone_stops_commands_and_is_left_by_case_use(person: Person, tmp_path: Path) -> None:
    person.at(tmp_path, "init", "case")
    person.at(tmp_path, "case", "use", "case")
    (tmp_path / "case").rename(tmp_path / "moved")
    assert "error[not-found]" in person.at(tmp_path, "status", expect=5)
    assert not (tmp_path / "case").exists()
    assert "true" in person.at(tmp_path, "case", "list")
    person.at(tmp_path, "case", "use", "--none")
    person.at(tmp_path, "status")
    assert "error[not-found]" in person.at(tmp_path, "case", "use", "nobody", expect=5)
    assert "casparian init" in person.at(tmp_path, "case", "use", "me", expect=2)


def test_initialising_again_keeps_what_is_not_given(person: Person, tmp_path: Path) -> None:
    person.at(tmp_path, "init", "case", "--name", "One", "--examiner", "Ann")
    said = person.at(tmp_path, "init", "case", "--examiner", "Bob")
    assert "One" in said and "Bob" in said and "was there already" in said
    person.at(tmp_path, "init", "case", "--name", "", expect=2)


def test_a_source_is_named_used_and_shown(product: Product, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "z.csv").write_text("q\n1\n")
    product("source", "add", str(folder), "--name", "disk-1", expect=[0])
    product("source", "add", str(tmp_path / "other"), "--no-recursive", expect=[0])
    assert "another source" in product("source", "add", str(tmp_path / "other"), "--name", "disk-1", expect=[2]).err
    assert product("scan", "disk-1", "--json", expect=[0]).json["entries"] == 4
    assert [each["name"] for each in product("source", "--json", expect=[0]).json["sources"]] == ["disk-1", None]
    product("source", "use", "disk-1", expect=[0])
    assert product.run()["tables"][0]["table"] == "a"
    assert {each["source"] for each in product("files", "--json").json["files"]} == {str(folder)}
    product("source", "use", expect=[0])
    product("source", "sync", "--all", expect=[0])
    assert len(product("files", "--source", "disk-1", "--json").json["files"]) == 4
    shown = product("source", "show", "disk-1", "--json", expect=[0]).json
    assert shown["files"]["done"] == 4 and sum(shown["tables"].values()) == 5
    assert product("source", "sync", expect=[2]).err
    assert product("source", "show", "nowhere", expect=[5]).err


def test_a_source_without_its_folders_is_not_walked_into_them(product: Product, folder: Path) -> None:
    product("source", "add", str(folder), "--no-recursive", expect=[0])
    product("scan", expect=[0])
    known = {each["path"]: each["state"] for each in product("files", "--json").json["files"]}
    assert known["deep/"] == "skipped" and "deep/b.csv" not in known
    product("source", "add", str(folder), expect=[0])
    product("scan", expect=[0])
    assert "deep/b.csv" in {each["path"] for each in product("files", "--json").json["files"]}


def test_a_removed_source_keeps_its_rows_and_their_lineage(product: Product, folder: Path) -> None:
    product.run(str(folder))
    before = product.content()
    assert "--yes" in product("source", "remove", "1", expect=[2]).err
    product("source", "remove", "1", "--dry-run", expect=[0])
    assert len(product("source", "--json").json["sources"]) == 1
    removed = product("source", "remove", "1", "--yes", "--json", expect=[0]).json
    assert removed["files"] == 4 and sum(removed["tables"].values()) == 5
    assert product("source", "--json").json["sources"] == []
    assert product.content() == before
    assert "its source was removed" in product("why", str(folder / "a.csv"), expect=[0]).out
    traced = product("trace", f"{folder / 'a.csv'}:1", expect=[0]).out
    assert "blake3:" in traced and str(folder) in traced
    assert product("scan", expect=[2]).err
    again = product.run(str(folder))
    assert again["run"] == 0, "the same bytes were parsed again"
    assert product.content() == before
    assert {each["state"] for each in product("files", "--json").json["files"]} == {"done"}
