"""A backtest tells what a parser would make of files that were read before, and writes no row anywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from casparian_flow.settings import Home
from casparian_flow.store.engine import open_read_only
from casparian_flow.store.tables import equivalences
from product import ProductHere

PARSER = """
import pyarrow as pa
from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows

MANIFEST = PluginMetadata(
    pattern="*.fw",
    version={version!r},
    outputs={{"fw": [Column("n", "int64"), Column("word", "string")]}},
)
DROPPED, DOUBTED, TRUSTED, RENAMED = {dropped}, {doubted}, {trusted}, {renamed}


def parse(path, context):
    found, bad = [], []
    for number, line in enumerate(open(path), 1):
        n, word = line.rstrip("\\n").split(",")
        if word == "stop" + {version!r}:
            raise ValueError("it stops")
        if number in DROPPED:
            continue
        if (word == "bad" and number not in TRUSTED) or number in DOUBTED:
            bad.append(Rejected("fw", "cf.fw.word", "a bad word", source_row=number))
        else:
            found.append((number, int(n), word.upper() if number in RENAMED else word))
    table = pa.table({{"n": pa.array([n for _, n, _ in found], pa.int64()), "word": [word for _, _, word in found]}})
    yield Rows("fw", table, source_row=[number for number, _, _ in found])
    yield from bad
"""


def a_parser(folder: Path, version: str, **changes: set[int]) -> str:
    """A parser `fw` of one version: which records it drops, doubts, trusts though they are bad, and renames."""
    given = {name: sorted(changes.get(name, ())) for name in ("dropped", "doubted", "trusted", "renamed")}
    (folder / version).mkdir(parents=True)
    path = folder / version / "fw.py"
    path.write_text(PARSER.format(version=version, **given))
    return str(path)


def a_file(folder: Path, name: str, rows: int, *, bad: set[int] = frozenset(), last: str = "end") -> None:  # type: ignore[assignment]
    """So many rows, of which some have a bad word; no two files are the same."""
    folder.mkdir(exist_ok=True)
    words = ["bad" if row in bad else f"{name} {row}" for row in range(1, rows)]
    (folder / name).write_text("".join(f"{row},{word}\n" for row, word in enumerate([*words, last], 1)))


def outputs(home: Path) -> dict[str, str]:
    """The content of every file of a home but its control database."""
    return {
        str(path.relative_to(home)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.startswith("state.sqlite3") and path.name != "lock"
    }


def backtest(product: ProductHere, *arguments: str) -> Any:
    return product("backtest", "run", *arguments, "--json", expect=(0,)).json


@pytest.fixture
def landed(product_here: ProductHere, tmp_path: Path) -> ProductHere:
    """Three files that the first version read: 9, 8 and 7 rows, of which 2, 0 and 1 are bad."""
    source = tmp_path / "in"
    a_file(source, "a.fw", 9, bad={2, 3})
    a_file(source, "b.fw", 8)
    a_file(source, "c.fw", 7, bad={5})
    product_here.run(str(source), "--parser", a_parser(tmp_path / "parsers", "1"))
    return product_here


def test_a_difference_of_each_kind_is_counted_and_nothing_is_written(landed: ProductHere, tmp_path: Path) -> None:
    changed = a_parser(tmp_path / "parsers", "2", dropped={1}, doubted={4}, trusted={2}, renamed={6})
    before = outputs(landed.home)
    found = backtest(landed, changed, "--on", str(tmp_path / "in"))
    assert outputs(landed.home) == before
    # Of each of the three files: row 1 is dropped, row 4 doubted, row 6 renamed; of a.fw row 2 is trusted.
    entry = found["backtest"]
    counts = {name: entry[name] for name in ("gained", "lost", "changed", "quarantined", "released")}
    assert counts == {"gained": 1, "lost": 6, "changed": 3, "quarantined": 3, "released": 1}
    assert (entry["files"], entry["same"], entry["differing"], entry["failed"]) == (3, 0, 3, 0)
    landed.run(str(tmp_path / "in"), "--parser", changed)
    assert landed.table("fw").num_rows == 24 - 3 + entry["gained"] - entry["lost"]


def test_only_a_backtest_of_every_file_whose_rows_are_there_asks_for_one_approval(
    product_here: ProductHere, tmp_path: Path
) -> None:
    source, plugin = tmp_path / "in", product_here.home / "plugins" / "fw.py"
    a_file(source, "harmless.fw", 3)
    a_file(source, "harmed.fw", 5)
    plugin.parent.mkdir(parents=True)
    plugin.write_text(Path(a_parser(tmp_path / "parsers", "1")).read_text())
    product_here.run(str(source), "--parser", "fw", expect=(0,))
    plugin.write_text(Path(a_parser(tmp_path / "parsers", "2", dropped={5})).read_text())
    picked = backtest(product_here, "fw", "--on", str(source / "harmless.fw"))["backtest"]
    assert (picked["files"], picked["same"], picked["lost"]) == (1, 1, 0)
    propose = ("parser", "propose", "fw", "--json", "--backtest")
    said = product_here(*propose, picked["backtest"], expect=(0,)).json
    assert (said["proposal"]["risk"], said["empirical"]["is_complete"]) == ("restrictive", False)
    plugin.write_text(Path(a_parser(tmp_path / "parsers", "3")).read_text())
    every = backtest(product_here, "fw")["backtest"]
    said = product_here(*propose, every["backtest"], expect=(0,)).json
    assert (said["proposal"]["risk"], said["empirical"]["is_complete"]) == ("lossless", True)


def test_the_same_parser_changes_nothing(landed: ProductHere, tmp_path: Path) -> None:
    found = backtest(landed, str(tmp_path / "parsers" / "1" / "fw.py"))
    assert (found["backtest"]["same"], found["worst"]) == (3, [])
    detail = landed("backtest", "show", "@last", "--json", expect=(0,)).json
    assert all(each["old"] == each["new"] != "" for file in detail["files"] for each in file["digests"])


def test_the_worst_files_come_first_and_the_rest_is_not_read(landed: ProductHere, tmp_path: Path) -> None:
    a_file(tmp_path / "in", "z.fw", 5, last="stop1")
    first = str(tmp_path / "parsers" / "1" / "fw.py")
    landed.run(str(tmp_path / "in"), "--parser", first)
    backtest(landed, a_parser(tmp_path / "parsers", "2"), "--max-files", "2")
    detail = landed("backtest", "show", "@last", "--json", expect=(0,)).json
    assert [(file["path"], file["outcome"]) for file in detail["files"]] == [
        ("z.fw", "changed"),
        ("a.fw", "same"),
        ("c.fw", "not_run"),
        ("b.fw", "not_run"),
    ]
    assert detail["backtest"]["stop_reason"] == "2 files were read, as many as were asked for"


def test_it_stops_once_too_many_rows_would_be_lost(landed: ProductHere, tmp_path: Path) -> None:
    found = backtest(landed, a_parser(tmp_path / "parsers", "2", dropped={1, 4}), "--stop-after-lost", "3")["backtest"]
    assert (found["lost"], found["not_run"], found["stop_reason"]) == (4, 1, "4 rows would be lost")


@pytest.mark.slow
def test_it_stops_once_too_many_files_would_fail_that_landed(product_here: ProductHere, tmp_path: Path) -> None:
    for number in range(14):
        a_file(tmp_path / "in", f"{number:02}.fw", 3, last=f"stop{'2' if number < 6 else '3'}{number}"[:5])
    a_file(tmp_path / "in", "broken.fw", 3, last="stop1")
    product_here.run(str(tmp_path / "in"), "--parser", a_parser(tmp_path / "parsers", "1"))
    found = backtest(product_here, a_parser(tmp_path / "parsers", "2"), "--stop-failing", "0.5")["backtest"]
    assert (found["failed"], found["not_run"]) == (6, 4)
    assert found["stop_reason"] == "6 of 10 files that landed before would fail"


@pytest.mark.slow
def test_two_backtests_are_compared_file_by_file(landed: ProductHere, tmp_path: Path) -> None:
    backtest(landed, a_parser(tmp_path / "parsers", "2", trusted={2}), "--on", str(tmp_path / "in"))
    backtest(landed, a_parser(tmp_path / "parsers", "3", trusted={2, 5}), "--on", str(tmp_path / "in"))
    found = landed("backtest", "compare", "B-1", "2", "--json", expect=(0,)).json
    assert found["alike"] == 2
    [file] = found["files"]
    assert (file["path"], file["before"]["released"], file["after"]["released"]) == ("c.fw", 0, 1)


def test_only_files_with_the_tag_are_read(landed: ProductHere, tmp_path: Path) -> None:
    landed("tags", "add", str(tmp_path / "in" / "b.fw"), "night", expect=(0,))
    found = backtest(landed, a_parser(tmp_path / "parsers", "2"), "--on", "night")["backtest"]
    assert (found["files"], found["on"]) == (1, ["night"])
    assert landed("backtest", "fw", "--on", "day").code == 5


def test_rows_that_are_gone_from_the_target_are_told_and_not_guessed(landed: ProductHere, tmp_path: Path) -> None:
    for path in landed.home.rglob("*.parquet"):
        path.unlink()
    found = backtest(landed, a_parser(tmp_path / "parsers", "2", dropped={1}))
    assert found["backtest"]["differing"] == 3
    assert all("missing" in file["error"] or "not" in file["error"] for file in found["worst"])


@pytest.mark.slow
def test_only_files_that_come_out_the_same_move_to_the_new_key_and_their_rows_stay(
    landed: ProductHere, tmp_path: Path
) -> None:
    better = a_parser(tmp_path / "parsers", "2", trusted={2})
    before, rows = outputs(landed.home), landed.table("fw")
    found = backtest(landed, better, "--rekey")["backtest"]
    assert (found["same"], found["differing"], found["rekeyed"]) == (2, 1, 2)
    assert outputs(landed.home) == before
    plan = landed("plan", str(tmp_path / "in"), "--parser", better, "--json", expect=(0,)).json
    assert {each["path"]: each["reason"] for each in plan["entries"]} == {
        "a.fw": "parser_changed",
        "b.fw": "proven_equivalent",
        "c.fw": "proven_equivalent",
    }
    assert all("backtest B-1" in each["detail"] for each in plan["entries"] if each["action"] == "skip")
    with open_read_only(Home(landed.home).state) as connection:
        moved = connection.execute(select(equivalences)).all()
    assert len(moved) == 2
    assert all(each.old_digest == each.new_digest != "" and each.old_key != each.new_key for each in moved)
    assert landed.run(str(tmp_path / "in"), "--parser", better)["run"] == 1
    kept = {(row["_cf_job_id"], row["_cf_source_row"]) for row in rows.to_pylist() if row["word"][:1] in "bc"}
    assert kept <= {(row["_cf_job_id"], row["_cf_source_row"]) for row in landed.table("fw").to_pylist()}
    assert backtest(landed, better, "--rekey")["backtest"]["rekeyed"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("stops", [(), ("--max-files", "4"), ("--stop-after-lost", "3")])
def test_a_backtest_comes_to_the_same_however_many_files_are_read_at_once(
    product_here: ProductHere, tmp_path: Path, stops: tuple[str, ...]
) -> None:
    source = tmp_path / "in"
    for number in range(9):
        last = "end" if number % 4 else "stop2"
        a_file(source, f"{number}.fw", 6 + number, bad={2, number}, last=last)
    product_here.run(str(source), "--parser", a_parser(tmp_path, "1"))
    newer = a_parser(tmp_path, "2", dropped={1}, trusted={2}, renamed={4})
    found = []
    for workers in ("1", "2", "5"):
        entry = backtest(product_here, newer, *stops, "--workers", workers)["backtest"]
        detail = product_here("backtest", "show", entry["backtest"], "--json", expect=(0,)).json
        same = {name: value for name, value in entry.items() if name not in ("backtest", "started", "ended")}
        found.append((same, detail["files"], detail["contracts"]))
    assert found[0] == found[1] == found[2]
    assert found[0][0]["files"] == 9 and found[0][0]["failed"] and (found[0][0]["not_run"] > 0) is bool(stops)


ONCE = """
import pyarrow as pa
from casparian_flow.sdk import Column, PluginMetadata, Rows, Rule

MANIFEST = PluginMetadata(
    version={version!r},
    outputs={{"t": [Column("k", "int64"), Column("v", "int64")]}},
    rules={{"t": [Rule("once", "unique", ["k"], scope="table")]}},
)


def parse(path):
    rows = [line.rstrip("\\n").split(",") for line in open(path)]
    yield Rows("t", pa.table({{"k": [k for k, _ in rows], "v": [v for _, v in rows]}}))
"""


def test_keys_of_other_files_are_compared_with_as_when_the_files_were_read(
    product_here: ProductHere, tmp_path: Path
) -> None:
    folder, parser = tmp_path / "in", tmp_path / "once.py"
    folder.mkdir()
    parser.write_text(ONCE.format(version="1"))
    for name, text in (("a.csv", "1,1\n2,2\n"), ("b.csv", "1,9\n3,1\n")):
        (folder / name).write_text(text)
        product_here("run", str(folder), "--parser", str(parser), expect=[0, 3])
    assert sorted(product_here.table("t")["k"].to_pylist()) == [1, 2, 3]
    parser.write_text(ONCE.format(version="2"))
    entry = backtest(product_here, str(parser))["backtest"]
    assert (entry["files"], entry["same"], entry["gained"], entry["released"]) == (2, 2, 0, 0)
