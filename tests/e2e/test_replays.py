"""Rows that were rejected are read again after a fix: a canary first, then the rest, and a second time nothing."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from test_sentinel_service import sentinel, wait_for

from casparian_flow.core.errors import PlanStale, ProposalVoid
from casparian_flow.core.outputs import Role
from casparian_flow.operations.doing.rehearsal.replay import plan as plan_replay
from casparian_flow.operations.doing.rehearsal.replay import start
from casparian_flow.operations.doing.rehearsal.replay_trial import Tried, try_files
from casparian_flow.operations.rehearsal.replay import PlanReplay, StartReplay
from casparian_flow.settings import Home, Settings
from casparian_flow.store import replays as replay_store
from casparian_flow.store.replays import Expected
from casparian_flow.wiring import open_acting
from product import Product, ProductHere


@dataclass(frozen=True)
class Past:
    """A home and its data, where they lie, as they were: a table and three rejected rows of one group."""

    folder: Path
    group: str
    kept: dict[Path, tuple[bytes, int]]
    """Every file, and when it was written."""


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Four files of one table, three of them with one value that is no number."""
    folder = tmp_path_factory.mktemp("past")
    data = folder / "data"
    data.mkdir()
    for number in range(1, 5):
        (data / f"log_{number}.csv").write_text(f"id,bytes\n{number}1,7\n{number}2,{number}\n")
    product = ProductHere(folder / "home")
    read(product, data)
    damage(data)
    read(product, data)
    [group] = groups(product)
    assert group["rows"] == 3
    kept = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
    return Past(folder, group["group"], kept)


@pytest.fixture
def product(past: Past, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProductHere:
    """The product over that home, as it was; its commands are read by this process."""
    restore(past)
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    return ProductHere(past.folder / "home")


def restore(past: Past) -> None:
    for path in sorted(past.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for path, (kept, written_ns) in past.kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kept)
        os.utime(path, ns=(written_ns, written_ns))


@pytest.fixture
def data(past: Past) -> Path:
    return past.folder / "data"


@pytest.fixture
def group(past: Past) -> str:
    """The group of the three rows."""
    return past.group


def damage(data: Path) -> None:
    for number in range(1, 4):
        with (data / f"log_{number}.csv").open("a") as file:
            file.write(f"{number}3,NA\n")


def read(product: Product, data: Path, *words: str, expect: tuple[int, ...] = (0, 3)) -> Any:
    return product.run(str(data), "--table", "fw", *words, expect=expect)


def groups(product: Product) -> list[Any]:
    return product("quarantine", "list", "--json", expect=[0]).json["groups"]


def replay(product: Product, *words: str, expect: tuple[int, ...] = (0,)) -> Any:
    return product("quarantine", "replay", *words, "--json", expect=expect).json


def ids(product: Product, role: Role = Role.ACCEPTED) -> list[int]:
    return sorted(product.table("fw", role)["id" if role is Role.ACCEPTED else "_cf_source_row"].to_pylist())


def content(product: Product) -> dict[str, list[str]]:
    """Every visible row; a table whose last rejected row was released has an empty quarantine."""
    return {name: rows for name, rows in product.content().items() if rows}


def count(product: Product, query: str) -> int:
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as database:
        return int(database.execute(query).fetchone()[0])


def test_an_option_releases_rows_into_their_table_and_a_second_replay_finds_nothing(
    product: Product, data: Path, group: str
) -> None:
    plan = replay(product, group, "--option", "null=NA", "--dry-run")
    assert (plan["files"], plan["rows"], plan["reopens"]) == (3, 3, 1)
    assert count(product, "SELECT count(*) FROM cf_replays") == 0

    reply = replay(product, group, "--option", "null=NA", "--reason", "NA is no number")
    assert (reply["released"], reply["still_failing"], reply["accepted_lost"]) == (3, 0, 0)
    assert (reply["replay"]["stage"], reply["replay"]["done"]) == ("done", 3)
    assert ids(product) == [11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42]
    assert groups(product) == []

    jobs = count(product, "SELECT count(*) FROM cf_jobs")
    again = replay(product, group, "--option", "null=NA")
    assert (again["replay"], again["why"]) == (None, "none of its rows waits any more")
    assert count(product, "SELECT count(*) FROM cf_jobs") == jobs
    assert count(product, "SELECT count(*) FROM cf_replays") == 1


@pytest.mark.slow
def test_what_was_replayed_with_an_option_stays_as_it_is_and_the_other_files_follow(
    product: Product, data: Path, group: str, tmp_path: Path
) -> None:
    replay(product, group, "--option", "null=NA")
    reply = read(product, data, expect=(0,))
    assert (reply["run"], reply["skipped"]) == (1, {"up_to_date": 3})
    fresh = ProductHere(tmp_path / "fresh")
    read(fresh, data, "--option", "null=NA", expect=(0,))
    assert content(product) == content(fresh)
    assert read(product, data, expect=(0,))["run"] == 0


def test_options_that_are_set_say_how_many_files_the_next_run_reads_with_them(
    product: Product, data: Path, group: str
) -> None:
    def set_(*words: str) -> int:
        return product("parser", "set", "delimited", "--table", "fw", *words, "--json", expect=[0]).json["files"]

    replay(product, group, "--option", "null=NA")
    assert set_() == 1  # the others are read with it already
    assert set_("--unset", "null") == 3
    assert read(product, data)["run"] == 3
    assert set_("--option", "null=NA") == 4
    (data / "log_4.csv").unlink()
    assert read(product, data)["run"] == 3
    assert set_("--unset", "null") == 3  # of what is not there nothing is read


def test_a_replay_does_not_count_what_was_read_with_its_options_already(
    product: Product, data: Path, group: str
) -> None:
    read(product, data / "log_4.csv", "--option", "null=NA")
    assert replay(product, group, "--option", "null=NA", "--dry-run")["reopens"] == 0
    replay(product, group, "--option", "null=NA")
    assert read(product, data)["run"] == 0


def test_nothing_is_read_again_where_nothing_changed(product: Product, data: Path, group: str) -> None:
    reply = replay(product, group)
    assert reply["replay"] is None
    assert (reply["unchanged"], reply["why"].partition(":")[0]) == (3, "3 files would come out as before")
    answer = product("quarantine", "replay", group, expect=[0])
    assert answer.out.startswith("nothing to replay\n3 files would come out as before")


def test_options_that_release_nothing_change_nothing_and_do_not_stand(product: Product, tmp_path: Path) -> None:
    (data := tmp_path / "in").mkdir()
    (data / "a.csv").write_text('id,name,city\n1,"ann, the first",Oslo\n2,bob,Bern\n')
    (data / "b.csv").write_text('id,name,city\n3,cy,Rome\n"4,dee,Lima\n5,eve,Cairo\n')
    words = (str(data), "--table", "people")
    product.run(*words)
    before = content(product)
    [group] = [each["group"] for each in groups(product) if each["code"] == "cf.csv.quote"]
    option = ("--option", "quote=none")
    tried = product("quarantine", "replay", group, *option, "--dry-run", expect=[0]).out
    assert "0 rows released" in tried and "nothing to replay: its options release none of these rows" in tried
    assert tried.splitlines()[-1] == f"next      casparian quarantine show {group} --raw"
    reply = replay(product, group, *option)
    assert (reply["replay"], reply["proposal"]) == (None, None)
    assert reply["why"].startswith("its options release none of these rows")
    assert product("parser", "set", "delimited", "--table", "people", "--json", expect=[0]).json["options"] == {}
    assert product.run(*words)["run"] == 0
    assert content(product) == before


def test_a_plan_that_does_not_hold_any_more_is_not_begun(product: Product, data: Path, group: str) -> None:
    plan = replay(product, group, "--option", "null=NA", "--dry-run")
    wanted = StartReplay(groups=(group,), options={"null": "-"}, plan_digest=plan["digest"])
    home = Home(product.home)
    with open_acting(home, Settings(), data, lambda _event, _values: None) as acting:
        with pytest.raises(PlanStale):
            start(acting, wanted)
        again = plan_replay(acting, PlanReplay(groups=(group[:4],), options={"null": "NA"}))
    assert again.digest == plan["digest"]
    assert count(product, "SELECT count(*) FROM cf_replays") == 0


def test_a_canary_that_comes_out_otherwise_stops_the_replay_and_the_rest_is_as_it_was(
    product: Product, data: Path, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    def one_row_more(*given: Any) -> Iterator[Tried]:
        for each in try_files(*given):
            more = {table: Expected(its.accepted + 1, its.quarantined) for table, its in each.expected.items()}
            yield replace(each, expected=more)

    with monkeypatch.context() as patch:
        patch.setattr("casparian_flow.operations.doing.rehearsal.replay.try_files", one_row_more)
        answer = product("quarantine", "replay", group, "--option", "null=NA", "--json", expect=[7])
    said = json.loads(answer.err.splitlines()[-1])
    assert said["code"] == "canary-failed"
    expected = "expected 4 rows of it in fw and 0 in its quarantine, found 3 and 0"
    assert said["why"].startswith("1 file was read and is in force, 2 files wait as before; `casparian jobs revert ")
    assert said["fix"] == f"casparian quarantine replay {group} --option null=NA"
    [entry] = product("replay", "list", "--json", expect=[0]).json["replays"]
    assert (entry["stage"], entry["differs"], entry["done"], entry["files"]) == ("stopped", 1, 0, 3)
    assert count(product, "SELECT count(*) FROM cf_jobs WHERE state = 'queued'") == 0
    assert count(product, "SELECT count(*) FROM cf_options") == 0
    detail = product("replay", "show", entry["replay"], "--json", expect=[0]).json
    path = detail["files"][0]["path"]
    assert said["message"] == f"replay 1 stopped: {path}: {expected}"
    assert [(file["outcome"], file["message"]) for file in detail["files"]] == [
        ("differs", expected),
        (None, ""),
        (None, ""),
    ]
    stopped = detail["stopped"]
    assert (stopped["otherwise"], stopped["in_force"], stopped["unread"]) == (1, 1, 2)
    assert stopped["undo"] == [f"casparian jobs revert {detail['files'][0]['new_job']} --reason TEXT"]
    shown = product("replay", "show", entry["replay"], expect=[0]).out
    assert f"stopped   {path}: {expected}" in shown and f"next      {said['fix']}" in shown
    assert [each["rows"] for each in groups(product)] == [2]
    assert read(product, data)["run"] == 1  # the option was not left behind
    assert [each["rows"] for each in groups(product)] == [3]


@pytest.mark.slow
def test_a_replay_that_would_lose_rows_waits_for_approval_and_then_does_what_was_approved(
    product: Product, data: Path, group: str
) -> None:
    plan = replay(product, group, "--option", "skip=2", "--dry-run")
    assert plan["needs_approval"]
    assert plan["accepted_lost"] or plan["accepted_changed"]
    jobs = count(product, "SELECT count(*) FROM cf_jobs")
    reply = replay(product, group, "--option", "skip=2", "--reason", "try", expect=(4,))
    assert count(product, "SELECT count(*) FROM cf_jobs") == jobs
    product("approve", reply["proposal"], "--reason", "it is as it should be", expect=[0])
    [entry] = product("replay", "list", "--json", expect=[0]).json["replays"]
    assert (entry["stage"], entry["done"], entry["proposal"]) == ("done", 3, reply["proposal"])


@pytest.mark.parametrize("sink", ["parquet", "duckdb"])
def test_rows_that_take_each_others_place_are_each_counted_as_the_proposal_counts_them(
    product_here: ProductHere, tmp_path: Path, sink: str
) -> None:
    files = {
        "mixed_1.csv": ["N/A", "-", "N/A", "4", "?"],
        "mixed_2.csv": ["-", "N/A", "N/A", "-", "?"],
        "mixed_3.csv": ["-", "2"],
    }
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("id,n\n1,7\n")
    to = () if sink == "parquet" else ("--sink", f"duckdb://{tmp_path / 'out.duckdb'}")
    read(product_here, folder, *to)
    for name, values in files.items():
        (folder / name).write_text("id,n\n" + "".join(f"{at},{value}\n" for at, value in enumerate(values, 1)))
    read(product_here, folder, *to)
    causes = {each["sample"]: each["group"] for each in groups(product_here)}
    first = replay(product_here, causes["N/A"], "--option", "null=N/A", expect=(3,))
    assert (first["released"], first["still_failing"], first["newly_rejected"], first["accepted_lost"]) == (4, 5, 0, 0)

    asked = replay(product_here, causes["-"], "--option", "null=-", expect=(4,))
    shown = product_here("approval", "show", asked["proposal"], "--json", expect=[0]).json
    approved = product_here("approve", asked["proposal"], "--reason", "so be it", "--json", expect=[0])
    reply = approved.json["replay"]
    assert (reply["released"], reply["still_failing"], reply["newly_rejected"], reply["accepted_lost"]) == (4, 2, 4, 4)
    assert (shown["empirical"]["released"], shown["empirical"]["newly_failing"]) == (4, 4)
    assert sum(each["rows"] for each in groups(product_here)) == 6


MOVED = {
    "the parser": "INSERT INTO cf_parsers (name, version, artifact_hash, env_hash, path, origin, status, manifest, "
    "registered_at_ns) SELECT name, version, 'other', env_hash, path, origin, 'active', manifest, 1 "
    "FROM cf_parsers WHERE name = 'delimited'",
    "the contract": None,
    "a repair": "INSERT INTO cf_repairs (source_hash, parser_name, table_name, source_row, before, after, author, "
    "reason, made_at_ns) SELECT source_hash, 'delimited', 'fw', 1, '{}', '{\"id\": \"1\"}', 'kim', '', 1 "
    "FROM cf_jobs ORDER BY id DESC LIMIT 1",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", MOVED)
def test_an_approved_replay_is_void_once_it_would_come_out_otherwise_than_tried(
    product: Product, group: str, what: str
) -> None:
    reply = replay(product, group, "--option", "skip=2", "--reason", "try", expect=(4,))
    if (statement := MOVED[what]) is None:
        amended = product("contract", "amend", "fw", "--add", "zone:string", "--json", expect=[0]).json
        product("approve", amended["proposal"]["id"], "--reason", "meanwhile", expect=[0])
    else:
        with closing(sqlite3.connect(product.home / "state.sqlite3")) as database, database:
            assert database.execute(statement).rowcount == 1
    said = product("approve", reply["proposal"], "--reason", "as it was tried", expect=[1])
    assert "proposal-void" in said.err
    assert count(product, "SELECT count(*) FROM cf_replays") == 0


def test_an_approved_replay_whose_files_are_all_gone_is_void_and_not_applied(
    product: Product, data: Path, group: str
) -> None:
    proposal = replay(product, group, "--option", "skip=2", "--reason", "try", expect=(4,))["proposal"]
    for number in range(1, 5):
        (data / f"log_{number}.csv").unlink()
    product("scan", str(data), expect=[0])
    refused = product("approve", proposal, "--reason", "it is as it should be", expect=[ProposalVoid.exit_code])
    assert f"{proposal} can no longer be applied" in refused.err
    assert product("approval", "show", proposal, "--json", expect=[0]).json["proposal"]["state"] == "void"


def test_a_reverted_replay_shows_the_old_quarantine_again(product: Product, data: Path, group: str) -> None:
    before = content(product)
    commits = product("output", "history", "fw", "--json", expect=[0]).json["commits"]
    replay(product, group, "--option", "null=NA")
    assert groups(product) == []
    product("output", "revert", "fw", str(commits[0]["snapshot"]), "--yes", expect=[0])
    assert content(product) == before
    [found] = groups(product)
    assert (found["group"], found["rows"], found["state"]) == (group, 3, "open")


@pytest.mark.slow
def test_a_file_that_is_gone_is_left_out_and_said_so(product: Product, data: Path, group: str) -> None:
    (data / "log_1.csv").unlink()
    product("scan", str(data), expect=[0])
    reply = replay(product, group, "--option", "null=NA")
    assert [file["path"] for file in reply["left_out"]] == ["log_1.csv"]
    assert reply["replay"]["files"] == 2
    assert ids(product) == [11, 12, 21, 22, 23, 31, 32, 33, 41, 42]
    assert [group["rows"] for group in groups(product)] == [1]


@pytest.mark.slow
def test_a_new_version_of_a_parser_is_replayed_on_the_files_of_one_cause(
    product_here: ProductHere, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        (data / f"{number}.pair").write_text(f"a={number}\nb:9\n")
    plugin = tmp_path / "home" / "plugins" / "pairs.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(PAIRS.format(version=1, by="="))
    product_here.run(str(data), "--parser", "pairs")
    [found] = groups(product_here)
    assert (found["rows"], found["files"]) == (3, 3)
    plugin.write_text(PAIRS.format(version=2, by="=:"))
    reply = replay(product_here, found["group"], "--canary", "2")
    assert (reply["released"], reply["replay"]["done"]) == (3, 3)
    assert sorted(product_here.table("pairs")["value"].to_pylist()) == ["0", "1", "2", "9", "9", "9"]
    assert groups(product_here) == []
    assert product_here.run(str(data), "--parser", "pairs", expect=[0])["run"] == 0


PAIRS = '''"""Lines of a key and a value."""

import re
from pathlib import Path

from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows

MANIFEST = PluginMetadata(
    version="{version}", pattern=["*.pair"], outputs={{"pairs": [Column("key", "string"), Column("value", "string")]}}
)


def parse(path: Path):
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        found = re.fullmatch("([^{by}]*)[{by}](.*)", line)
        if found is None:
            yield Rejected("pairs", "pairs.no_sign", "no sign", raw=line.encode(), source_row=number)
        else:
            yield Rows("pairs", [{{"key": found[1], "value": found[2]}}], source_row=[number])
'''


STEPS = ("add", "set_jobs", "set_outcome", "move")
"""What is changed about replays."""


class Ended(BaseException):
    """The process ends here."""


@pytest.mark.slow
def test_a_process_that_ends_between_canary_and_rest_leaves_a_replay_that_the_next_run_takes_to_its_end(
    product: Product, data: Path, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        done = ends_at(patch, 3)
        with pytest.raises(Ended):
            product("quarantine", "replay", group, "--option", "null=NA")
    assert done == ["add", "set_jobs", "set_outcome"]
    assert [each["rows"] for each in groups(product)] == [2]
    files = product("replay", "show", "1", "--json", expect=[0]).json["files"]
    assert [(each["accepted"], each["quarantined"]) for each in files] == [(3, 0), (None, None), (None, None)]
    ran = product("run", str(data), "--table", "fw", expect=[0]).out
    assert "replay    1 was interrupted and is done: rows 3 released, 0 still in quarantine\n" in ran
    assert read(product, data, expect=(0,))["resumed"] == []
    [entry] = product("replay", "list", "--json", expect=[0]).json["replays"]
    assert (entry["stage"], entry["done"]) == ("done", 3)
    assert groups(product) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_step_the_process_ends_at_the_next_run_or_replay_goes_on(
    product: Product, data: Path, group: str, tmp_path: Path, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = ProductHere(tmp_path / "fresh")
    read(fresh, data, "--option", "null=NA", expect=(0,))
    with monkeypatch.context() as patch:
        done = ends_at(patch, -1)
        replay(product, group, "--option", "null=NA")
    assert done.count("move") == 2
    for at in range(len(done)):
        restore(past)
        with monkeypatch.context() as patch:
            ends_at(patch, at)
            with pytest.raises(Ended):
                product("quarantine", "replay", group, "--option", "null=NA")
        on_the_way = count(product, "SELECT count(*) FROM cf_replays WHERE stage IN ('canary', 'rest')")
        status = product("status", "--json", expect=[0]).json
        assert status["replays"] == on_the_way
        leads_on = [each for each in status["next"] if each.startswith(("casparian run", "casparian plan"))]
        assert not on_the_way or leads_on
        if at % 2 or done[at] == "add":
            replay(product, group, "--option", "null=NA")
        read(product, data, expect=(0,))
        assert content(product) == content(fresh), (at, done[at])
        assert count(product, "SELECT count(*) FROM cf_replays WHERE stage != 'done'") == 0
        assert groups(product) == []


def ends_at(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """The process ends in front of the step with that number; the steps that it came to."""
    done: list[str] = []
    for name in STEPS:
        monkeypatch.setattr(replay_store, name, ending(done, at, name, getattr(replay_store, name)))
    return done


def ending(done: list[str], at: int, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        if len(done) == at:
            raise Ended
        done.append(name)
        return function(*args, **options)

    return call


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_service_goes_on_with_a_replay_whose_asker_and_sentinel_were_killed(
    product: Product, data: Path, group: str
) -> None:
    with sentinel(product) as first:  # it has no worker, so that nothing is read
        asker = product.start("quarantine", "replay", group, "--option", "null=NA")
        wait_for(lambda: count(product, "SELECT count(*) FROM cf_jobs WHERE state = 'queued'"), "no canary is queued")
        asker.kill()
        asker.communicate()
        first.kill()
        first.communicate()
        assert count(product, "SELECT count(*) FROM cf_replays WHERE stage = 'canary'") == 1
    with sentinel(product, workers=1):
        wait_for(lambda: count(product, "SELECT count(*) FROM cf_replays WHERE stage = 'done'"), "it did not go on")
        assert groups(product) == []
        assert replay(product, group, "--option", "null=NA")["replay"] is None
    assert ids(product) == [11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_service_replays_for_whoever_asks_it(product: Product, data: Path, group: str) -> None:
    with sentinel(product, workers=1):
        reply = replay(product, group, "--option", "null=NA")
        assert (reply["replay"]["stage"], reply["replay"]["done"], reply["released"]) == ("done", 3, 3)
    assert ids(product) == [11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42]
