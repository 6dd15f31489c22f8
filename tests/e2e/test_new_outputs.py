"""A parser begins to bring an output that it does not declare: its rows wait, a table is drafted, a person decides."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from planted import places_of
from product import ProductHere

PARSER = """
import json
from casparian_flow.sdk import Column, PluginMetadata
MANIFEST = PluginMetadata(pattern="*.ev", version="{version}", outputs={{"login": [Column("id", "int64")]}})

def parse(path):
    found = {{}}
    for line in path.read_text().splitlines():
        event = json.loads(line)
        found.setdefault(event.pop("kind"), []).append(event)
    for kind, rows in found.items():
        if {condition}:
            yield kind, rows
"""
OLD, NEW = 'kind == "login"', "True"


def events_of(seed: int, kinds: Sequence[str] = ("login", "transfer")) -> list[dict[str, Any]]:
    """Events as a source writes them; amounts are whole in the first files only."""
    random = Random(seed)
    events: list[dict[str, Any]] = []
    for number in range(12):
        event: dict[str, Any] = {"kind": random.choice(kinds), "id": seed * 100 + number}
        if event["kind"] != "login":
            event |= {"amount": random.randint(1, 99) + (0.5 if seed > 1 else 0), "to": f"acc-{number}"}
        events.append(event)
    return events


class Case:
    """A folder of event files, the parser beside it, and the home that reads them."""

    def __init__(self, product: ProductHere, folder: Path) -> None:
        self.product, self.data, self.parser = product, folder / "data", folder / "events.py"
        self.data.mkdir(parents=True)
        self.told: list[dict[str, Any]] = []

    def upgrade(self, version: int, condition: str) -> None:
        self.parser.write_text(PARSER.format(version=version, condition=condition))

    def add(self, *seeds: int, kinds: Sequence[str] = ("login", "transfer")) -> None:
        for seed in seeds:
            events = events_of(seed, kinds)
            (self.data / f"{seed}.ev").write_text("".join(json.dumps(event) + "\n" for event in events))
            self.told += events

    def run(self, *options: str) -> Any:
        return self.product.run(str(self.data), "--parser", str(self.parser), *options, expect=(0, 1, 3))

    def proposed(self) -> list[dict[str, Any]]:
        return [
            each
            for each in self.product("approval", "list", "--json").json["proposals"]
            if each["table"] not in (None, "login")
        ]

    def expected(self, kind: str) -> list[tuple[Any, ...]]:
        """What the files say, told without the product."""
        names = ("id",) if kind == "login" else ("id", "amount", "to")
        return sorted(tuple(event.get(name) for name in names) for event in self.told if event["kind"] == kind)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        names = ("id",) if table == "login" else ("id", "amount", "to")
        found = self.product.table(table)
        return sorted(tuple(row[name] for name in names) for row in found.to_pylist()) if found.num_rows else []

    def quarantined(self, table: str) -> int:
        return self.product.table(table, Role.QUARANTINE).num_rows


@pytest.fixture
def case(product_here: ProductHere, tmp_path: Path) -> Case:
    return Case(product_here, tmp_path / "case")


def test_an_output_that_comes_with_an_upgrade_waits_for_a_person_and_then_lands_whole(case: Case) -> None:
    case.upgrade(1, OLD)
    case.add(1, 2)
    case.run()
    assert (case.rows("login"), case.proposed()) == (case.expected("login"), [])

    case.upgrade(2, NEW)
    case.add(3)
    reply = case.run()
    transfers = case.expected("transfer")
    (draft,) = case.proposed()
    assert (draft["state"], draft["rows"], draft["files"], draft["risk"]) == ("proposed", len(transfers), 3, "additive")
    assert [each["proposal"] for each in reply["drafted"]] == [draft["id"]]
    assert (case.quarantined("transfer"), case.rows("transfer")) == (len(transfers), [])
    (group,) = case.product("quarantine", "list", "--json").json["groups"]
    assert (group["code"], group["proposal"]) == ("cf.output.undeclared", draft["id"])
    assert group["fix"] == f"casparian approval show {draft['id']}"
    assert f"casparian approval show {draft['id']}" in case.product("contract", "show", "transfer").err

    shown = case.product("approval", "show", draft["id"], "--json").json
    assert [each["says"] for each in shown["operations"]] == [
        "takes what events brings without declaring it",
        "id int64",
        "amount float64",
        "to string",
    ]
    assert (shown["impact"]["files_reopened"], shown["impact"]["released"]) == (3, len(transfers))
    approved = case.product("approve", draft["id"], "--reason", "ticket 9", "--json", expect=[0]).json
    assert (approved["table"], approved["replay"]["released"]) == ("transfer", len(transfers))
    assert (case.rows("transfer"), case.rows("login")) == (transfers, case.expected("login"))
    assert case.quarantined("transfer") == 0
    sources = [set(case.product.table(name)["_cf_source_hash"].to_pylist()) for name in ("login", "transfer")]
    assert (sources[0], len(sources[1])) == (sources[1], 3)

    before = case.product.content()
    assert case.product("approve", draft["id"], "--reason", "again").code == 1
    assert case.run()["completed"] == 0
    assert case.product.content() == before
    case.add(4)
    assert case.run()["quarantined"] == 0
    assert (case.rows("transfer"), case.proposed()) == (case.expected("transfer"), [])


def test_approving_an_output_does_not_bring_back_what_a_person_reverted(case: Case) -> None:
    case.upgrade(1, OLD)
    case.add(1)
    case.run()
    case.upgrade(2, NEW)
    case.add(2)
    case.run()
    commits = case.product("output", "history", "login", "--json", expect=[0]).json["commits"]
    case.product("output", "revert", "login", str(commits[-1]["snapshot"]), "--yes", expect=[0])
    left = case.rows("login")
    assert left != case.expected("login")

    (draft,) = case.proposed()
    approved = case.product("approve", draft["id"], "--reason", "ticket 9", "--json", expect=[0]).json
    assert case.rows("login") == left
    assert [each["path"] for each in approved["left_out"]] == ["1.ev", "2.ev"]
    assert all(each["why"].startswith("login was reverted by ") for each in approved["left_out"])
    (group,) = case.product("quarantine", "list", "--json").json["groups"]
    asked = case.product("quarantine", "replay", group["group"], "--json", expect=[0]).json
    assert (asked["replay"], asked["left_out"]) == (None, approved["left_out"])
    assert case.run()["completed"] == 0
    case.run("--force")
    assert (case.rows("login"), case.rows("transfer")) == (case.expected("login"), case.expected("transfer"))


@pytest.mark.slow
def test_a_run_that_evolves_counts_what_it_released_and_says_what_it_applied(case: Case) -> None:
    case.product("config", "set", "drift.new_output", "evolve", expect=[0])
    case.upgrade(1, NEW)
    case.add(1, 2)
    reply = case.product.run(str(case.data), "--parser", str(case.parser), expect=(0,))
    transfers = len(case.expected("transfer"))
    assert (reply["accepted"], reply["quarantined"], reply["outcome"]) == (len(case.told), 0, "completed")
    assert {each["table"]: (each["accepted"], each["quarantined"]) for each in reply["tables"]} == {
        "login": (len(case.told) - transfers, 0),
        "transfer": (transfers, 0),
    }
    (change,) = reply["applied"]
    assert (change["table"], change["released"], change["replays"]) == ("transfer", transfers, ["1"])


def test_a_replay_of_a_file_that_a_revert_holds_says_so_and_names_what_reads_it(case: Case) -> None:
    case.upgrade(1, NEW)
    case.add(1)
    case.run()
    waiting = case.quarantined("transfer")
    (group,) = case.product("quarantine", "list", "--json").json["groups"]
    (draft,) = case.proposed()
    case.product("approve", draft["id"], "--reason", "r", expect=[0])
    landed = case.rows("transfer")
    assert len(landed) == waiting > 0
    history = case.product("output", "history", "transfer", "--json", expect=[0]).json
    case.product(
        "output", "revert", "transfer", str(history["commits"][-1]["snapshot"]), "--reason", "r", "--yes", expect=[0]
    )
    assert (case.rows("transfer"), case.quarantined("transfer")) == ([], waiting)

    told = case.product("quarantine", "replay", group["group"], "--yes").out
    assert "as before" not in told
    assert re.search(r"1\.ev: transfer was reverted by \S+ on \S+; run it with --force", told)
    case.product.run(str(case.data / "1.ev"), "--force", "--parser", str(case.parser))
    assert case.rows("transfer") == landed


@pytest.mark.slow
def test_what_is_rejected_waits_on_and_is_drafted_anew_with_the_next_file(case: Case) -> None:
    case.upgrade(1, NEW)
    case.add(1)
    case.run()
    (draft,) = case.proposed()
    case.product("reject", draft["id"], "--reason", "not ours", expect=[0])
    waiting = len(case.expected("transfer"))
    assert (case.run()["completed"], case.proposed(), case.quarantined("transfer")) == (0, [], waiting)
    case.add(2)
    case.run()
    (anew,) = case.proposed()
    assert (anew["files"], case.quarantined("transfer")) == (1, len(case.expected("transfer")))
    case.product("approve", anew["id"], "--reason", "ours after all", expect=[0])
    assert (case.rows("transfer"), case.quarantined("transfer")) == (case.expected("transfer"), 0)


@pytest.mark.slow
def test_neither_the_order_of_files_nor_the_number_of_workers_changes_what_is_drafted(tmp_path: Path) -> None:
    told, tables = set(), set()
    for name, workers, rounds in (("a", 1, [(1, 2, 3)]), ("b", 3, [(1, 2, 3)]), ("c", 1, [(3,), (2,), (1,)])):
        case = Case(ProductHere(tmp_path / name / "home"), tmp_path / name)
        case.upgrade(1, NEW)
        for seeds in rounds:
            case.add(*seeds)
            case.run("--workers", str(workers))
        (draft,) = case.proposed()
        shown = case.product("approval", "show", draft["id"], "--json").json
        told.add((draft["rows"], draft["files"], *(each["says"] for each in shown["operations"])))
        case.product("approve", draft["id"], "--reason", "ticket 9", expect=[0])
        tables.add(tuple(case.rows("transfer")))
        assert case.rows("transfer") == case.expected("transfer")
        content = case.product.content()
        assert case.run("--force")["completed"] == 3
        assert case.product.content() == content, "what was replayed is what a full run brings"
    assert (len(told), len(tables)) == (1, 1)


@pytest.mark.slow
def test_evolving_takes_every_new_output_in_when_the_run_ends(case: Case) -> None:
    case.product("config", "set", "drift.new_output", "evolve", expect=[0])
    case.upgrade(1, NEW)
    case.add(1, 2, kinds=("login", "transfer", "refund"))
    case.run()
    for kind in ("login", "transfer", "refund"):
        assert (case.rows(kind), case.quarantined(kind)) == (case.expected(kind), 0)
    assert case.proposed() == []
    # What was let in once stays in, whatever the mode is later.
    case.product("config", "set", "drift.new_output", "propose", expect=[0])
    case.add(3, kinds=("login", "transfer", "refund"))
    case.run()
    assert case.rows("refund") == case.expected("refund")


@pytest.mark.slow
def test_a_parser_that_declares_the_output_later_ends_the_draft(case: Case) -> None:
    case.upgrade(1, NEW)
    case.add(1, 2)
    case.run()
    (draft,) = case.proposed()
    declared = PARSER.replace(
        '"login": [Column("id", "int64")]',
        '"login": [Column("id", "int64")], "transfer": [Column("id", "int64"), Column("amount", "float64"), '
        'Column("to", "string")]',
    )
    case.parser.write_text(declared.format(version=2, condition=NEW))
    case.run()
    assert (case.rows("transfer"), case.quarantined("transfer")) == (case.expected("transfer"), 0)
    assert case.proposed() == []
    assert case.product("approve", draft["id"], "--reason", "late").code == 1


@pytest.mark.slow
def test_a_parser_with_hostile_outputs_costs_little_and_says_so(case: Case) -> None:
    case.parser.write_text(
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        "MANIFEST = PluginMetadata(pattern='*.ev', outputs={'known': [Column('n', 'int64')]})\n"
        "def parse(path):\n"
        "    yield 'known', [{'n': 1}]\n"
        "    yield 'wide', [{f'c{at}': at for at in range(4_000)}]\n"
        "    yield 'bad\\x1b[31m\\nname', [{'a\\x07': 'x\\x1b[2J'}]\n"
        "    for at in range(120):\n"
        "        yield f'out_{at}', [{'n': at}]\n"
    )
    (case.data / "1.ev").write_text("x")
    reply = case.run()
    assert (reply["accepted"], reply["quarantined"]) == (1, 122)
    listed = case.product("approval", "list", expect=[0])
    shown = case.product("approval", "list", "--json").json["proposals"]
    assert [each["state"] for each in shown].count("proposed") <= 50
    (others,) = [each for each in shown if each["table"] is None]
    said = case.product("approval", "show", others["id"], expect=[0])
    assert "more than 50 outputs are not declared" in said.out
    for each in shown:
        told = case.product("approval", "show", each["id"], expect=[0]).out if each["table"] != "known" else ""
        assert not any(character in told + listed.out for character in "\x1b\x07")
    wide = [each for each in shown if each["table"] == "wide"]
    assert [each["state"] for each in wide] in ([], ["draft"])


@pytest.mark.slow
def test_what_a_closed_parser_brings_unasked_is_closed_from_quarantine_to_table(case: Case) -> None:
    case.parser.write_text(
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        "MANIFEST = PluginMetadata(pattern='*.ev', outputs={'known': [Column('token', sensitivity='secret')]})\n"
        "def parse(path):\n"
        "    yield 'known', [{'token': 'a'}]\n"
        "    yield 'token', [{'token': 'PLANTED-Alpha-1', 'other': 'PLANTED-Beta-2'}]\n"
    )
    (case.data / "1.ev").write_text("x")
    planted = ["PLANTED-Alpha-1", "PLANTED-Beta-2"]
    case.run()
    (draft,) = [each for each in case.proposed() if each["table"] == "token"]
    assert draft["risk"] == "restrictive"
    told = case.product("approval", "show", draft["id"]).out + case.product("quarantine", "list").out
    assert places_of(planted, [case.product.home], [told]) == []
    case.product("approve", draft["id"], "--reason", "ticket 9", expect=[0])
    assert case.product.table("token").num_rows == 1
    assert places_of(planted, [case.product.home]) == []


@pytest.mark.slow
def test_another_parser_does_not_reach_an_approved_table_by_the_name_of_its_output(case: Case, tmp_path: Path) -> None:
    case.upgrade(1, NEW)
    case.add(1)
    case.run()
    (draft,) = case.proposed()
    case.product("approve", draft["id"], "--reason", "ticket 9", expect=[0])
    other, data = tmp_path / "other.py", tmp_path / "theirs"
    other.write_text(case.parser.read_text().replace("*.ev", "*.txt").replace('"login"', '"logout"'))
    data.mkdir()
    (data / "a.txt").write_text('{"kind": "transfer", "id": 1, "amount": 1.0, "to": "me"}\n')
    assert case.product.run(str(data), "--parser", str(other))["quarantined"] == 1
    assert (case.rows("transfer"), case.quarantined("transfer")) == (case.expected("transfer"), 1)
