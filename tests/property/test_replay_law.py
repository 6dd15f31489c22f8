"""What was accepted before and what a replay adds are together what one reading of everything would bring."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from casparian_flow.core.outputs import Role
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import standing, tables
from casparian_flow.store.database import Database
from product import ProductHere

NOW_NS = 1_772_445_600_000_000_000
SIMPLEST = 1
"""Hypothesis begins with the simplest example, which says little."""
VARYING = frozenset({"_cf_job_id", "_cf_processed_at", "_cf_file_version_id"})
"""What differs from run to run."""
FILES = ("a", "b", "c", "d")
CONTENTS = {
    "clean": "id,bytes\n{n}1,5\n{n}2,6\n",
    "stray": "id,bytes\n{n}1,5\n{n}2,NA\n",
    "zoned": "id,bytes,zone\n{n}1,5,UTC\n{n}2,6,CET\n",
    "both": "id,bytes,zone\n{n}1,-,UTC\n{n}2,NA,CET\n",
}
AMENDMENTS = (("--add", "zone:string"), ("--widen", "bytes:string"), ("--relax", "bytes:null"))
PARSER = '''"""Rows as text; some texts stand for nothing."""

import csv
from pathlib import Path

from casparian_flow.sdk import Context, PluginMetadata, Rows

MANIFEST = PluginMetadata(version="{version}", tables="file", options={{"null": None}})


def parse(path: Path, context: Context):
    nothing = {{"", *{nothing!r}, context.options.get("null")}}
    with Path(path).open(newline="") as file:
        rows = [
            {{name: None if cell in nothing else cell for name, cell in row.items() if name}}
            for row in csv.DictReader(file)
        ]
    yield Rows("", rows, source_row=range(1, len(rows) + 1))
'''
READS_AS_NOTHING = ((), ("-",), ("NA", "-"))
"""Of each version of the parser, from the first."""
STEP = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(FILES), st.sampled_from(sorted(CONTENTS))),
    st.tuples(st.just("run")),
    st.tuples(st.just("replay"), st.sampled_from(["", "null=NA", "null=-"])),
    st.tuples(st.just("amend"), st.sampled_from(AMENDMENTS)),
    st.tuples(st.just("repair")),
    st.tuples(st.just("upgrade")),
    st.tuples(st.just("revert")),
)
Step = tuple[Any, ...]
USUAL: Sequence[Step] = (
    ("write", "b", "stray"),
    ("write", "c", "both"),
    ("write", "d", "zoned"),
    ("run",),
    ("amend", AMENDMENTS[0]),
    ("upgrade",),
    ("replay", ""),
    ("replay", "null=NA"),
)


class History:
    """A home that lives through changes."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.product = ProductHere(folder / "home")
        self.parser = folder / "flows.py"
        self.version = -1
        self.upgrade()
        self.do(("write", "a", "clean"))
        self.do(("run",))

    def do(self, step: Step) -> None:
        getattr(self, step[0])(*step[1:])

    def write(self, name: str, kind: str) -> None:
        number = FILES.index(name) + 1
        (self.data / f"{name}.csv").write_text(CONTENTS[kind].format(n=number) + f"{number}9,{number}\n")

    def upgrade(self) -> None:
        self.version = min(self.version + 1, len(READS_AS_NOTHING) - 1)
        nothing = READS_AS_NOTHING[self.version]
        self.parser.write_text(PARSER.format(version=self.version + 1, nothing=nothing))

    def run(self, *words: str) -> Any:
        return read(self.product, self, *words)

    def replay(self, option: str) -> None:
        given = ["--option", option] if option else []
        for group in groups(self.product):
            self.product("quarantine", "replay", group, *given, expect=[0, 3, 4, 7])

    def amend(self, change: tuple[str, str]) -> None:
        answer = self.product("contract", "amend", "fw", *change, "--reason", "x", "--json")
        if answer.code == 0 and answer.json["proposal"]["state"] == "proposed":
            proposal = answer.json["proposal"]["id"]
            self.product("approve", proposal, "--reason", "it is so", expect=[0, 4, 7])

    def repair(self) -> None:
        for group in groups(self.product):
            shown = self.product("quarantine", "show", group, "--json", expect=[0]).json
            row = next((each["row"] for each in shown["rows"] if each["row"]), None)
            if row is not None:
                words = ("--set", "bytes=77", "--reason", "seen")
                self.product("quarantine", "repair", row, *words, expect=[0, 1, 2])

    def revert(self) -> None:
        """The newest commit is taken back, and what it brought is asked for again."""
        commits = self.product("output", "history", "fw", "--json", expect=[0]).json["commits"]
        if len(commits) > 1:
            self.product("output", "revert", "fw", str(commits[1]["snapshot"]), "--yes")
            self.run("--force")


def read(product: ProductHere, history: History, *words: str) -> Any:
    return product.run(str(history.data), "--table", "fw", "--parser", str(history.parser), *words)


def read_once(history: History, folder: Path) -> ProductHere:
    """A new home that reads the same files under what is in force at the end."""
    fresh = ProductHere(folder / "fresh")
    fresh("scan", str(history.data), expect=[0])
    old, new = Database(history.product.home / "state.sqlite3"), Database(fresh.home / "state.sqlite3")
    try:
        with old.transaction() as connection:
            contract = contract_store.of_table(connection, "fw")
            options = standing.every(connection)
            repairs = connection.execute(select(tables.repairs)).mappings().all()
        with new.transaction() as connection:
            assert contract is not None
            adopt(connection, contract, Rule.DECLARED, "parser", NOW_NS)
            if options:
                connection.execute(insert(tables.options), [row._asdict() for row in options])
            if repairs:
                connection.execute(insert(tables.repairs), [dict(row) for row in repairs])
    finally:
        old.close()
        new.close()
    read(fresh, history)
    return fresh


def groups(product: ProductHere) -> dict[str, int]:
    found = product("quarantine", "list", "--json", expect=[0]).json["groups"]
    return {each["group"]: each["rows"] for each in found}


def digests(product: ProductHere) -> dict[str, str]:
    """The digest of the rows of each file that was read under the contract in force, by the file's bytes."""
    database = Database(product.home / "state.sqlite3")
    its, moved = tables.materializations, tables.equivalences
    try:
        with database.transaction() as connection:
            rows = connection.execute(
                select(its.c.source_hash, its.c.row_digest).where(
                    its.c.is_current, its.c.id.not_in(select(moved.c.materialization_id))
                )
            ).all()
    finally:
        database.close()
    return {row.source_hash: row.row_digest for row in rows}


def content(product: ProductHere) -> dict[str, list[str]]:
    """Every visible value by its row. A column that nobody has filled shows only once a file was read with it."""
    found = {}
    for role in Role:
        for name in product.tables(role):
            rows = product.table(name, role).to_pylist()
            told = [
                {key: value for key, value in row.items() if value is not None and key not in VARYING} for row in rows
            ]
            if told:
                found[f"{role} {name}"] = sorted(repr(sorted(row.items())) for row in told)
    return found


def hold(steps: Sequence[Step]) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr("sys.stdin", None)
        patch.setenv("HOME", name)
        history = History(folder)
        for step in steps:
            history.do(step)
        history.run()
        again = history.run()
        assert again["run"] == 0, again
        fresh = read_once(history, folder)
        assert content(history.product) == content(fresh)
        assert groups(history.product) == groups(fresh)
        ours, theirs = digests(history.product), digests(fresh)
        assert ours.items() <= theirs.items()


@pytest.mark.timeout(180)
def test_a_usual_history_ends_where_one_reading_of_everything_ends() -> None:
    hold(USUAL)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_any_history_ends_where_one_reading_of_everything_ends() -> None:
    settings(max_examples=SIMPLEST + 8)(given(st.lists(STEP, min_size=3, max_size=9))(hold))()
