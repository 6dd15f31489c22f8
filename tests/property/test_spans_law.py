"""A replay that reads spans and takes rows over ends where one reading of everything ends."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_replay_law import digests, groups, read, read_once

from casparian_flow.core.outputs import Role
from casparian_flow.sentinel.queue import carrying as offering
from casparian_flow.worker import carrying
from product import ProductHere

VARYING = frozenset({"_cf_job_id", "_cf_processed_at", "_cf_file_version_id"})
"""What differs from run to run."""
GOOD = '{"id": 1, "name": "a", "bytes": 7}'
LINES = (
    GOOD,
    '{"id": 2, "name": "b", "bytes": 8}',
    '{"bytes": -0, "id": 3, "name": "\\u00e9"}',
    '{"id": 4, "name": "c", "bytes": 1.5}',
    '{"id": 5, "name": "d", "bytes": "NA"}',
    '{"id": 6, "name": null, "bytes": 9}',
    '{"id": 7, "name": "e"',
    '{"id": 8, "name": "f", "bytes": 10, "more": 1}',
    '{"id": 9, "name": "g"}',
    "",
)
CHANGES = (
    ("--widen", "bytes:decimal(22,3)"),
    ("--relax", "name:null"),
    ("--relax", "bytes:null"),
    ("--add", "more:string"),
    ("--widen", "bytes:string"),
)
STEP = st.one_of(
    st.tuples(st.just("amend"), st.sampled_from(CHANGES)),
    st.tuples(st.just("repair"), st.integers(0, 3)),
    st.tuples(st.just("revoke")),
    st.tuples(st.just("replay")),
    st.tuples(st.just("revert")),
)
USUAL_LINES = (*LINES[:6], *LINES[:3], LINES[6], *LINES[:3])
USUAL = (("repair", 0), ("replay",), ("amend", CHANGES[0]), ("repair", 1), ("replay",), ("amend", CHANGES[1]))
Step = tuple[Any, ...]


class History:
    """A home whose one table has a clean file and a damaged one."""

    parser = "jsonl"

    def __init__(self, folder: Path, lines: Sequence[str]) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.product = ProductHere(folder / "home")
        (self.data / "a.jsonl").write_text(f"{GOOD}\n" * 3)
        self.run()
        self.product("contract", "amend", "fw", "--tighten", "name:notnull", "--reason", "x", expect=[0, 4])
        self.product("approve", "A-2", "--reason", "x", expect=[0, 1, 4, 5])
        (self.data / "b.jsonl").write_text("\n".join(lines))
        self.run()

    def do(self, step: Step) -> None:
        getattr(self, step[0])(*step[1:])

    def run(self) -> Any:
        return read(self.product, self)  # type: ignore[arg-type]

    def amend(self, change: tuple[str, str]) -> None:
        answer = self.product("contract", "amend", "fw", *change, "--reason", "x", "--json")
        if answer.code == 0 and answer.json["proposal"]["state"] == "proposed":
            self.product("approve", answer.json["proposal"]["id"], "--reason", "x", expect=[0, 4, 7])

    def repair(self, which: int) -> None:
        rows = [
            each["row"]
            for group in groups(self.product)
            for each in self.product("quarantine", "show", group, "--json", expect=[0]).json["rows"]
            if each["row"]
        ]
        if rows:
            words = ("--set", "bytes=77", "--set", "id=4", "--set", "name=z", "--reason", "seen")
            self.product("quarantine", "repair", rows[which % len(rows)], *words, expect=[0, 1, 2])

    def revoke(self) -> None:
        for each in self.product("repair", "--json", expect=[0]).json["repairs"][:1]:
            self.product("repair", "revoke", str(each["id"]), expect=[0, 1])

    def replay(self) -> None:
        for group in groups(self.product):
            self.product("quarantine", "replay", group, expect=[0, 3, 4, 5])

    def revert(self) -> None:
        commits = self.product("output", "history", "fw", "--json", expect=[0]).json["commits"]
        if len(commits) > 2:
            self.product("output", "revert", "fw", str(commits[1]["snapshot"]), "--yes")
            read(self.product, self, "--force")  # type: ignore[arg-type]

    @property
    def carried(self) -> int:
        """How many rows its jobs have taken over."""
        with closing(sqlite3.connect(self.product.home / "state.sqlite3")) as database:
            query = "SELECT sum(json_extract(receipt, '$.carried')) FROM cf_jobs"
            return int(database.execute(query).fetchone()[0])


def content(product: ProductHere) -> dict[str, list[str]]:
    """Every visible value by its row. What a rejected row has no value for is told or not, as the batch was cut."""
    found = {}
    for role in Role:
        for name in product.tables(role):
            rows = [_told(row) for row in product.table(name, role).to_pylist()]
            if rows:
                found[f"{role} {name}"] = sorted(repr(sorted(row.items())) for row in rows)
    return found


def _told(row: dict[str, Any]) -> dict[str, Any]:
    told = {key: _number(value) for key, value in row.items() if value is not None and key not in VARYING}
    if "values" in told:
        told["values"] = sorted((key, text) for key, text in json.loads(told["values"]).items() if text is not None)
    return told


def _number(value: Any) -> Any:
    """A wider number is the same one: a file that nobody had to read again keeps it as it was."""
    return Decimal(value).normalize() if isinstance(value, (int, Decimal)) else value


def hold(lines: Sequence[str], steps: Sequence[Step]) -> int:
    """How many rows were taken over, in a history that ends where it has to."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", None)
        patch.setenv("HOME", name)
        patch.setattr(offering, "WORTH_BYTES", 0)
        patch.setattr(carrying, "SMALLEST_SHARE", 1)
        history = History(Path(name), lines)
        for step in steps:
            history.do(step)
        history.replay()
        assert history.run()["run"] >= 0
        again = history.run()
        assert again["run"] == 0, again
        fresh = read_once(history, Path(name))  # type: ignore[arg-type]
        assert content(history.product) == content(fresh)
        assert groups(history.product) == groups(fresh)
        ours, theirs = digests(history.product), digests(fresh)
        assert ours.items() <= theirs.items()
        return history.carried


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_repairs_and_wider_columns_end_where_one_reading_of_everything_ends() -> None:
    assert hold(USUAL_LINES, USUAL) >= 20


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_any_history_of_spans_ends_where_one_reading_of_everything_ends() -> None:
    lines = st.lists(st.sampled_from(LINES), min_size=1, max_size=12)
    carried = 0

    @settings(max_examples=8, deadline=None)
    @given(lines, st.lists(STEP, min_size=2, max_size=6))
    def any_of_them(lines: Sequence[str], steps: Sequence[Step]) -> None:
        nonlocal carried
        carried += hold(lines, steps)

    any_of_them()
    assert carried
