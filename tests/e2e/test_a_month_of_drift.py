"""A month in the life of a table: after each step it holds what an oracle reads from the files by itself."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from casparian_flow.core.outputs import Role
from month_oracle import Column, Rule, Terms
from product import Answer, Product

STATES = ("paid", "open", "lost")
CHANNELS = ("web", "shop", "phone")
REPLAYED_DECISION = """
INSERT INTO cf_approvals (proposal_id, digest, decision, actor, key_id, signature, is_self, reason, at_ns)
SELECT ?, (SELECT digest FROM cf_proposals WHERE id = ?), decision, 'mallory', key_id, signature, 0, reason, at_ns
FROM cf_approvals WHERE signature IS NOT NULL ORDER BY id LIMIT 1
"""


class Month:
    """The folder of daily files, the commands over it, and what the oracle makes of the same files."""

    def __init__(self, product: Product, folder: Path, seed: int, rows: int) -> None:
        self._product = product
        self._folder = folder
        self._random = random.Random(seed)
        self.rows = rows
        self.files: dict[str, str] = {}
        self.terms = Terms(
            [
                Column(["id"], "int64"),
                Column(["at"], "date"),
                Column(["amount"], "float64"),
                Column(["status"], "string"),
            ]
        )
        folder.mkdir()

    def day(
        self, number: int, *more: str, spoiled: int = 0, nothing: str = "n.a.", ids: str = "", **changed: str
    ) -> None:
        """Write the file of a day.

        `more` are further columns, `spoiled` records have `nothing` for an amount, ids begin with `ids`, and `changed`
        are columns that have another name from now on.
        """
        header = [changed.get(name, name) for name in ("id", "at", "amount", "status")] + list(more)
        lines = [",".join(header)]
        bad = set(self._random.sample(range(self.rows), spoiled))
        for at in range(self.rows):
            amount = nothing if at in bad else f"{self._random.randint(0, 99_999) / 100:.2f}"
            known = [f"{ids}{number * 1000 + at}", f"2026-03-{number:02}", amount, self._random.choice(STATES)]
            lines.append(",".join(known + [self._random.choice((*CHANNELS, "")) for _ in more]))
        name = f"orders-2026-03-{number:02}.csv"
        self.files[name] = "\n".join(lines) + "\n"
        (self._folder / name).write_text(self.files[name])

    def __call__(self, *arguments: str, expect: Sequence[int] = (0,)) -> Answer:
        return self._product(*arguments, cwd=self._folder.parent, expect=expect)

    def run(self, expect: int = 0) -> Any:
        """`casparian run` over the folder."""
        return self("run", str(self._folder), "--json", expect=(expect,)).json

    def check(self) -> None:
        """Rows, rejections and rescued values are those of the oracle, place by place."""
        wanted = self.terms.read(self.files)
        name_of = {f"blake3:{blake3(text.encode()).hexdigest()}": name for name, text in self.files.items()}
        table = self._product.table("orders").to_pylist()
        names = [column.names[0] for column in self.terms.columns]
        rows = {(name_of[row["_cf_source_hash"]], row["_cf_source_row"]): row for row in table}
        assert len(rows) == len(table)
        assert {place: {name: row.get(name) for name in names} for place, row in rows.items()} == wanted.rows
        rejected = self._product.table("orders", Role.QUARANTINE).to_pylist()
        assert Counter(row["errors"][0]["code"] for row in rejected) == wanted.codes
        rescued = {
            (*place, each["column"], each["raw"]) for place, row in rows.items() for each in row["_cf_rescued"] or []
        }
        assert rescued == wanted.rescued

    def row_of(self, place: tuple[str, int]) -> str:
        """The address of a record."""
        name, number = place
        return f"{blake3(self.files[name].encode()).hexdigest()[:16]}:{number}"

    def waiting(self, what: str) -> str:
        """The name of the one living proposal that says this, once it is proposed."""
        listed = self("approval", "list", "--json").json["proposals"]
        assert what in [each["what"] for each in listed]
        (found,) = [each for each in listed if each["what"] == what]
        if found["state"] == "draft":
            self("contract", "propose", found["id"])
        return str(found["id"])

    def asks_for_nothing(self) -> None:
        """No change of a contract waits for anybody."""
        assert self("approval", "list", "--json").json["proposals"] == []

    def approve(self, what: str) -> None:
        """Approve the one living proposal that says this."""
        self("approve", self.waiting(what), "--reason", "reviewed")

    def group(self, code: str) -> str:
        """The name of the one open cause with this code."""
        (found,) = [each["group"] for each in self("quarantine", "--json").json["groups"] if each["code"] == code]
        return str(found)

    def change(self, statement: str, *values: object) -> None:
        """Write into the control database behind the product's back."""
        with closing(sqlite3.connect(self._product.home / "state.sqlite3")) as connection, connection:
            assert connection.execute(statement, values).rowcount > 0


def a_table_is_founded(month: Month) -> None:
    for number in (1, 2, 3):
        month.day(number)
    assert month.run()["accepted"] == 3 * month.rows
    month.check()


def a_column_appears(month: Month) -> None:
    month.day(4, "channel")
    month.day(5, "channel")
    assert month.run()["rescued"] > 0
    month.check()
    month.approve("add channel string null")
    month.terms.columns.append(Column(["channel"], "string"))
    month.check()
    assert month.run()["run"] == 0


def a_word_means_nothing(month: Month) -> None:
    month.day(6, "channel", spoiled=3)
    assert month.run(expect=3)["quarantined"] == 3
    month.check()
    month("quarantine", "replay", month.group("cf.cast.float64"), "--option", "null=n.a.")
    month.terms.null_words.add("n.a.")
    month.check()
    assert month("quarantine", "--json").json["groups"] == []
    month.asks_for_nothing()


def a_value_is_put_right(month: Month) -> None:
    month.day(7, "channel", spoiled=1, nothing="12.5O")
    month.run(expect=3)
    month.check()
    (place,) = month.terms.read(month.files).rejected
    month("quarantine", "repair", month.row_of(place), "--set", "amount=12.50", "--reason", "typed O for 0")
    assert month.run()["run"] == 1
    month.terms.repairs[place] = {"amount": "12.50"}
    month.check()
    month.asks_for_nothing()


def keys_become_text(month: Month) -> None:
    month.day(8, "channel", ids="S-")
    assert month.run(expect=3)["quarantined"] == month.rows
    month.check()
    month.approve("widen id to string")
    month.terms.columns[0].type = "string"
    month.run()
    month.check()


def a_column_is_renamed(month: Month) -> None:
    month.day(9, "channel", ids="S-", status="state")
    month.run()
    month.check()
    month("contract", "amend", "orders", "--rename", "status=state", "--reason", "the shop did")
    month.approve("rename status to state")
    month.terms.columns[3].names.insert(0, "state")
    month.run()
    month.check()


def a_rule_is_set_in_spite_of_forgers(month: Month) -> None:
    """Neither another diff under the digest that was signed nor a decision that was signed for another one applies."""
    counts = ("sql", "SELECT count(*) AS n, max(amount) AS high FROM orders", "--json")
    before = month(*counts).json["rows"]
    job = month("sql", "SELECT max(_cf_job_id) AS job FROM orders", "--json").json["rows"][0]["job"]
    what = "tighten dear: range amount 0..900"
    month("contract", "amend", "orders", "--rule", "dear: range amount 0..900", "--reason", "typing errors")
    number = int(month.waiting(what).removeprefix("A-"))

    month.change("UPDATE cf_proposals SET body = replace(body, '900', '950') WHERE id = ?", number)
    assert "approval-invalid" in month("approve", str(number), "--reason", "forged", expect=[7]).err
    month.change("UPDATE cf_proposals SET body = replace(body, '950', '900') WHERE id = ?", number)
    month.change(REPLAYED_DECISION, number, number)
    assert "approval-invalid" in month("approve", str(number), "--reason", "reviewed", expect=[7]).err
    month.check()

    month.change("DELETE FROM cf_approvals WHERE actor = 'mallory'")
    month.approve(what)
    month.terms.rules.append(Rule("cf.rule.range", "amount", lambda amount: 0 <= amount <= 900))
    month.check()
    assert month.run()["run"] == 0
    assert month(*counts, "--as-of", str(job)).json["rows"] == before


WEEKS = (
    a_table_is_founded,
    a_column_appears,
    a_word_means_nothing,
    a_value_is_put_right,
    keys_become_text,
    a_column_is_renamed,
    a_rule_is_set_in_spite_of_forgers,
)
LONG = [pytest.param(seed, 400, marks=pytest.mark.slow) for seed in (1, 2)]


@pytest.mark.parametrize(("seed", "rows"), [(11, 20), *LONG])
def test_after_each_week_the_tables_hold_what_the_files_and_the_decisions_say(
    seed: int, rows: int, product_here: Product, tmp_path: Path
) -> None:
    month = Month(product_here, tmp_path / "orders", seed, rows)
    for week in WEEKS:
        week(month)


GATES = """
from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows

MANIFEST = PluginMetadata(
    version="{version}", subscriptions=["gate"],
    outputs={{"gates": [Column("gate", "int64"), Column("temp", "float64")]}},
)


def parse(path):
    at, rows, numbers = 0, [], []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            at += len(line)
            try:
                gate, temp = (part.split(b"=")[1] for part in line.split())
                rows.append({{"gate": int(gate), "temp": {temp}}})
                numbers.append(number)
            except (ValueError, IndexError) as error:
                yield Rejected("gates", "gates.line", str(error), start=at - len(line), end=at, source_row=number)
    yield Rows("gates", rows, source_row=numbers)
"""


def test_a_parser_runs_and_is_upgraded_only_as_somebody_approved(product_here: Product, tmp_path: Path) -> None:
    ask = partial(product_here, cwd=tmp_path)
    plugin = product_here.home / "plugins" / "gates.py"
    (tmp_path / "in").mkdir()
    for day in range(4):
        (tmp_path / "in" / f"{day}.gate").write_text(f"gate=3 temp={day}.5\ngate=4 temp=??\n")
    plugin.parent.mkdir(parents=True)
    plugin.write_text(GATES.format(version="1", temp="float(temp)"))
    ask("rules", "add", "*.gate", "--tag", "gate", expect=[0])

    ask("run", "in", expect=[0])
    assert "gates" not in product_here.tables()
    first = ask("parser", "propose", "gates", "--json", expect=[0]).json["proposal"]["id"]
    ask("approve", first, "--reason", "read its source", expect=[0])
    ask("run", "in", expect=[3])
    assert sorted(product_here.table("gates")["temp"].to_pylist()) == [0.5, 1.5, 2.5, 3.5]

    plugin.write_text(GATES.format(version="2", temp="None if temp == b'??' else float(temp)"))
    ask("run", "in", expect=[0])
    assert product_here.table("gates").num_rows == 4
    tried = ask("backtest", "gates", "--on", "in", "--json", expect=[0]).json["backtest"]
    assert (tried["files"], tried["gained"], tried["lost"], tried["changed"]) == (4, 4, 0, 0)
    assert product_here.table("gates").num_rows == 4
    second = ask("parser", "propose", "gates", "--backtest", tried["backtest"], "--json", expect=[0]).json["proposal"]
    assert second["risk"] == "lossless"
    ask("approve", second["id"], "--reason", "nothing is lost", expect=[0])
    ask("run", "in", expect=[0])
    assert (
        sorted(map(str, product_here.table("gates")["temp"].to_pylist())) == ["0.5", "1.5", "2.5", "3.5"] + ["None"] * 4
    )
    assert ask("quarantine", "--json").json["groups"] == []
