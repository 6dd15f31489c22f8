"""Finding out what is there: restricted scans, versions, tags, rules, inference and archives, on hostile names too."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from product import Product, ProductHere

ESCAPE = "fw_\x1b]0;x\x07_2026-03-03.csv"


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    (folder / "fw").mkdir(parents=True)
    for day in (1, 2):
        (folder / "fw" / f"fw_2026-03-0{day}.csv").write_text(f"src,dst\n{day},2\n3,4\n")
    (folder / "fw" / ESCAPE).write_text("src,dst\n5,6\n")
    (folder / "notes.txt").write_text("hello\n")
    (folder / "big.csv").write_text("n\n" + "1\n" * 2000)
    return folder


def listed(product: Product, *words: str) -> set[str]:
    return {each["path"] for each in product("files", *words, "--json", expect=[0]).json["files"]}


def test_a_restricted_scan_sees_a_part_and_forgets_nothing(product: Product, folder: Path) -> None:
    found = product("scan", str(folder), "-p", "fw/*.csv", "--tag", "fw", "--json", expect=[0]).json
    assert (found["entries"], found["new"], found["files_read"]) == (3, 3, 3)
    assert len(listed(product, "--tag", "fw")) == 3
    assert product("scan", "--min-size", "1k", "--json", expect=[0]).json["new"] == 1
    assert product("scan", "--depth", "1", "--hash", "none", "--json", expect=[0]).json["new"] == 1
    (folder / "notes.txt").unlink()
    (folder / "fw" / "fw_2026-03-01.csv").unlink()
    assert product("scan", "--ext", "csv", "--threads", "2", "--json", expect=[0]).json["missing"] == 1
    states = {each["path"]: each["state"] for each in product("files", "--json").json["files"]}
    assert (states["notes.txt"], states["fw/fw_2026-03-01.csv"]) == ("new", "missing")
    assert product("scan", "--min-size", "much", expect=[2]).err


def test_hashing_all_finds_a_change_that_left_size_and_times_alone(product: Product, folder: Path) -> None:
    product("scan", str(folder), expect=[0])
    file = folder / "big.csv"
    seen = file.stat()
    again = product("scan", "--json", expect=[0]).json
    with file.open("r+b") as stream:
        stream.write(b"m")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    found = product("scan", "--hash", "all", "--json", expect=[0]).json
    assert again["new_versions"] == 0
    assert (found["files_read"], found["new_versions"]) == (5, 1)


def test_versions_of_a_file_are_compared_down_to_their_rows(product: Product, folder: Path) -> None:
    file = folder / "big.csv"
    file.write_text("id,name\n1,ann\n2,bob\n2,bob\n")
    product.run(str(file))
    file.write_text("id,name\n1,ann\n2,bob\n3,cy\n4,dee\n")
    product.run(str(file))
    versions = product("files", "versions", str(file), "--json", expect=[0]).json["versions"]
    assert [each["is_current"] for each in versions] == [True, False]
    assert versions[1]["tables"][0]["accepted"] == 3
    new, old = (str(each["version"]) for each in versions)
    diff = product("files", "diff", old, new, "--json", expect=[0]).json
    table = diff["tables"][0]
    assert (table["rows_before"], table["rows_after"], table["added"], table["removed"]) == (3, 4, 2, 1)
    assert "no copies" in diff["note"]
    back = product("files", "diff", versions[0]["source_hash"][:20], old, "--json", expect=[0]).json["tables"][0]
    assert (back["added"], back["removed"]) == (1, 2)
    assert product("files", "diff", str(file), new, "--json", expect=[0]).json["has_same_bytes"]
    assert "bytes    others" in product("files", "diff", old, str(file), expect=[0]).out
    assert product("files", "show", str(file), "--versions", "--json").json["versions"] == versions
    product("files", "diff", "999", new, expect=[5])
    product("files", "diff", "blake3:nothing", new, expect=[5])


def test_a_rule_asks_for_sizes_and_says_why_it_fits(product: Product, folder: Path) -> None:
    product("scan", str(folder), expect=[0])
    added = product("rules", "add", "*.csv", "--tag", "large", "--size", ">1kB", "--json", expect=[0]).json
    assert (added["rule"]["files"], added["rule"]["size"]) == (1, ">1kB")
    assert listed(product, "--tag", "large") == {"big.csv"}
    (folder / "big.csv").write_text("n\n1\n")
    product("scan", expect=[0])
    assert listed(product, "--tag", "large") == set()
    assert product("rules", "test", "1", str(folder / "big.csv"), "--json").json["matches"] is False
    assert product("rules", "test", "1", "new.csv", "--size", "2MB", "--json").json["matches"] is True
    said = product("rules", "test", "FW/*.csv", "fw/a.csv", "--json").json["why"]
    assert "upper and lower case" in said[0]
    assert product("rules", "test", "fw/*.csv", "--json").json["files"] == 3
    shown = product("tags", "show", "large", "--json", expect=[0]).json
    assert shown["rules"][0]["pattern"] == "*.csv" and shown["tag"]["files"] == 0
    product("rules", "add", "*", "--tag", "t", "--size", "sideways", expect=[2])
    product("rules", "test", "9", expect=[5])
    product("tags", "show", "nothing", expect=[5])


def test_applying_rules_says_first_what_it_would_change(product: Product, folder: Path) -> None:
    product("scan", str(folder), expect=[0])
    product("rules", "add", "fw/**", "--tag", "fw", expect=[0])
    product("tags", "remove", str(folder / "fw" / "fw_2026-03-01.csv"), "fw", expect=[0])
    would = product("rules", "apply", "--dry-run", "--json", expect=[0]).json
    assert (would["given"], would["taken"], would["is_dry_run"]) == (1, 0, True)
    assert len(listed(product, "--tag", "fw")) == 2
    assert product("rules", "apply", "--json", expect=[0]).json["given"] == 1
    assert product("rules", "apply", "--json", expect=[0]).json["given"] == 0
    assert len(listed(product, "--tag", "fw")) == 3


def test_proposed_rules_can_be_pasted_and_add_nothing_by_themselves(product: Product, folder: Path) -> None:
    product("scan", str(folder), expect=[0])
    answer = product("rules", "propose", "--json", expect=[0])
    assert answer.json["untagged"] == 5
    best = answer.json["proposals"][0]
    assert (best["files"], best["others"], best["precision"]) == (3, 0, 1.0)
    assert product("rules", "--json").json["rules"] == []
    shown = product("rules", "propose", "--format", "table", expect=[0]).out
    assert "\x1b" not in shown and best["command"] in shown
    product("rules", "add", best["pattern"], "--tag", best["tag"], expect=[0])
    assert product("rules", "propose", "--from", "fw/*", "--json", expect=[0]).json["untagged"] == 0


def test_inference_names_the_value_that_decided_and_its_file(product: Product, folder: Path, tmp_path: Path) -> None:
    (folder / "fw" / "fw_2026-03-02.csv").write_text("src,dst,text\nNA,01/02/2024,x\x1b[1m\n3,03/04/2024,y\n")
    product("scan", str(folder), "-p", "fw/*", "--tag", "fw", expect=[0])
    found = product("infer", "fw", "--column", "src", "--json", expect=[0]).json
    assert found["files"] == 3 and {each["column"] for each in found["columns"]} == {"src"}
    evidence = next(each for each in found["columns"] if each["nulls"] == {"NA": 1})
    ruled_out = {each["type"]: each for each in evidence["ruled_out"]}
    assert (ruled_out["int64"]["row"], ruled_out["int64"]["value"]) == (1, "NA")
    assert ruled_out["int64"]["file"].endswith("fw_2026-03-02.csv")
    said = product("infer", str(folder / "fw" / "fw_2026-03-02.csv"), "--explain", "--format", "table").out
    assert "\x1b" not in said and "could be  date %d/%m/%Y, date %m/%d/%Y, or text" in said
    product("infer", "fw", "--column", "nope", expect=[5])
    product("infer", "no-such-tag", expect=[5])


def test_a_written_contract_is_edited_and_tried(product: Product, folder: Path, tmp_path: Path) -> None:
    contract, file = tmp_path / "c.toml", str(folder / "fw" / "fw_2026-03-01.csv")
    product("infer", file, "--write", str(contract), expect=[0])
    product("infer", file, "--write", str(contract), expect=[2])
    text = contract.read_text()
    preview = product("preview", file, "--contract", str(contract), "--columns", "dst", "--json", expect=[0]).json
    assert (preview["outputs"][0]["columns"], preview["outputs"][0]["rows"]) == (["dst"], [["2"], ["4"]])
    contract.write_text(text.replace('type = "int64"', 'type = "boolean"'))
    tried = product("preview", file, "--contract", str(contract), "--json", expect=[0]).json["outputs"][0]
    assert tried["rows"] == [] and len(tried["rejected"]) == 2
    contract.write_text(text.replace("int64", "number"))
    assert "unknown type" in product("preview", file, "--contract", str(contract), expect=[2]).err
    contract.write_text("[[table]]\nname = 3\n")
    assert "contract file" in product("preview", file, "--contract", str(contract), expect=[2]).err
    product("preview", file, "--columns", "nope", expect=[2])


def test_the_first_lines_are_shown_as_they_stand(product: Product, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\r\n\x1b[2J,\xff\n" + b"x" * 10_000)
    found = product("preview", str(file), "--raw", "--json", expect=[0]).json
    assert [line["start"] for line in found["lines"]] == [0, 5, 12]
    assert [line["is_cut"] for line in found["lines"]] == [False, False, True]
    assert "\x1b" not in product("preview", str(file), "--raw", "-n", "2", expect=[0]).out
    facts = product("inspect", str(file), "--json", expect=[0]).json
    assert facts["line_ends"] == "mixed: 1 CRLF, 1 LF" and len(facts["sha256"]) == 64


def test_an_archive_is_listed_and_nothing_of_it_is_unpacked(product: Product, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil\x1b[31m.txt", "x")
        archive.writestr("bomb.txt", b"0" * 4_000_000)
        archive.writestr("folder/", "")
    found = product("inspect", str(tmp_path / "a.zip"), "--archive", "--json", expect=[0]).json
    assert [each["kind"] for each in found["members"]] == ["file", "file", "folder"]
    assert found["members"][0]["problem"] == "leads out of its folder"
    assert "thousand" in found["members"][1]["problem"]
    assert "\x1b" not in product("inspect", str(tmp_path / "a.zip"), "--archive", expect=[0]).out
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        file = tarfile.TarInfo("/abs.txt")
        file.size = 3
        tar.addfile(file, io.BytesIO(b"abc"))
    found = product("inspect", str(tmp_path / "b.tar.gz"), "--archive", "--json", expect=[0]).json
    assert [(each["kind"], each["problem"]) for each in found["members"]] == [
        ("link", "leads to /etc/passwd"),
        ("file", "an absolute path"),
    ]
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "b.tar.gz").read_bytes()[:60])
    assert product("inspect", str(tmp_path / "cut.tar.gz"), "--archive", "--json", expect=[0]).json["stopped"]
    (tmp_path / "no.txt").write_text("no archive")
    product("inspect", str(tmp_path / "no.txt"), "--archive", expect=[2])


def test_a_quarantined_record_says_what_was_wrong_where_and_what_was_there(product: Product, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,name\n1,ann\n2,bob,extra\n")
    product.run(str(tmp_path / "p.csv"), expect=[3])
    row = product("why", f"{tmp_path / 'p.csv'}:2", "--json", expect=[0]).json["rows"][0]
    assert (row["start"], row["end"]) == (14, 26) or row["start"] is not None
    assert row["faults"][0]["code"] == "cf.csv.arity" and "2,bob,extra" in row["raw"]
    assert "level" not in row["values"] and "shape" not in row["values"]
    said = product("why", f"{tmp_path / 'p.csv'}:2", expect=[0]).out
    assert "wrong   " in said and "bytes   2,bob,extra" in said


@pytest.mark.parametrize(
    "words",
    [
        ("files", "--source", "WORD"),
        ("files", "versions", "WORD"),
        ("files", "diff", "WORD", "blake3:WORD"),
        ("rules", "add", "WORD*", "--tag", "t"),
        ("rules", "test", "x", "WORD"),
        ("rules", "propose", "--from", "WORD"),
        ("scan", "-p", "WORD*"),
        ("infer", "WORD"),
        ("init", "WORD"),
    ],
)
def test_a_word_that_is_not_utf8_is_no_crash(product: Product, folder: Path, words: tuple[str, ...]) -> None:
    word = os.fsdecode(b"caf\xe9")
    product("source", "add", str(folder), expect=[0])
    answer = product(*(each.replace("WORD", word) for each in words), "--json", cwd=folder.parent)
    assert answer.code in (0, 2, 5) and "crash" not in answer.err


def test_a_file_whose_name_is_not_utf8_is_found_by_its_name(product: Product, folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    (folder / name).write_text("x\n1\n")
    product("scan", str(folder), "-p", os.fsdecode(b"caf\xe9*"), expect=[0])
    product("tags", "add", name, "odd", expect=[0])
    assert listed(product, "--tag", "odd") == {r"caf\xe9.csv"}
    assert product("infer", "odd", "--json", expect=[0]).json["rows"] == 1
    assert product("rules", "test", os.fsdecode(b"caf\xe9.*"), name, "--json").json["matches"] is True


def test_a_held_draft_is_not_called_adopted(product: Product, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id\n1\n")
    product.run("--set", "governance.first_contract=hold", str(tmp_path / "p.csv"), expect=[4])
    assert "proposed, drafted" in product("contract", "show", "p", expect=[0]).out
    number = str(product("contract", "--json").json["contracts"][0]["id"])
    product("contract", "approve", number, expect=[0])
    assert "drafted" not in product("contract", "show", "p", expect=[0]).out
