"""A version of a parser that was approved reads again at once what the version before it rejected."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.errors import CanaryFailed
from product import Product, ProductHere

GATES = """
from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows

MANIFEST = PluginMetadata(
    version="{version}", subscriptions={subscriptions},
    outputs={{"gates": [Column("gate", "int64"), Column("temp", "float64")]}},
)


def parse(path):
    rows, numbers = [], []
    with open(path) as file:
        for number, line in enumerate(file, 1):
            try:
                gate, temp = (part.split("=")[1] for part in line.split())
                {rule}
                rows.append({{"gate": int(gate), "temp": {temp}}})
                numbers.append(number)
            except ValueError as error:
                yield Rejected("gates", "gates.line", str(error), raw=line.encode(), source_row=number)
    yield Rows("gates", rows, source_row=numbers)
"""
FILES = {
    "1.gate": "gate=1 temp=1.5\ngate=2 temp=??\n",
    "2.gate": "gate=3 temp=2.5\n",
    "3.gate": "gate=4 temp=??\ngate=5 temp=??\ngate=6 temp=3.5\n",
    "4.gate": "gate=7 temp=4.5\n",
}


class Ended(BaseException):
    """The process ends here."""


def oracle() -> list[tuple[int, int, str]]:
    """What the second version makes of the files, without the product: gate, row of the file, degrees."""
    found = []
    for text in FILES.values():
        for row, line in enumerate(text.splitlines(), 1):
            gate, degrees = re.fullmatch(r"gate=(\d+) temp=(.+)", line).groups()  # type: ignore[union-attr]
            found.append((int(gate), row, "None" if degrees == "??" else degrees))
    return found


def rows(product: Product) -> list[tuple[int, int, str]]:
    table = product.table("gates").to_pylist()
    return sorted((row["gate"], row["_cf_source_row"], str(row["temp"])) for row in table)


def jobs_of(product: Product) -> dict[str, set[int]]:
    """The jobs whose rows are there, by the bytes of their files."""
    found: dict[str, set[int]] = {}
    for row in product.table("gates").to_pylist():
        found.setdefault(row["_cf_source_hash"], set()).add(row["_cf_job_id"])
    return found


@pytest.fixture
def write(product_here: ProductHere) -> Callable[..., None]:
    """Puts a version of the parser among the plugins."""

    def write(version: int, temp: str, *, rule: str = "pass", subscriptions: str = '["gate"]') -> None:
        text = GATES.format(version=version, temp=temp, rule=rule, subscriptions=subscriptions)
        (product_here.home / "plugins" / "gates.py").write_text(text)

    return write


@pytest.fixture
def product(product_here: ProductHere, tmp_path: Path, write: Callable[..., None]) -> ProductHere:
    """A home where the first version was approved and read four files, two of them with three rejected rows."""
    (tmp_path / "in").mkdir()
    for name, text in FILES.items():
        (tmp_path / "in" / name).write_text(text)
    (product_here.home / "plugins").mkdir(parents=True)
    write(1, "float(temp)")
    product_here("rules", "add", "*.gate", "--tag", "gate", expect=[0])
    decide(product_here, "approve", propose(product_here)["proposal"]["id"])
    product_here.run(str(tmp_path / "in"), expect=[3])
    assert product_here.table("gates").num_rows == 4
    return product_here


def propose(product: Product, *words: str) -> Any:
    return product("parser", "propose", "gates", *words, "--json", expect=[0]).json


def decide(product: Product, *words: str, expect: tuple[int, ...] = (0,)) -> Any:
    return product(*words, "--reason", "read it", "--json", expect=expect).json


def replays(product: Product) -> list[Any]:
    return product("replay", "list", "--json", expect=[0]).json["replays"]


def groups(product: Product) -> list[tuple[int, str]]:
    listed = product("quarantine", "list", "--json", expect=[0]).json["groups"]
    return [(each["rows"], each["state"]) for each in listed]


PATIENT = "None if temp == '??' else float(temp)"


def test_an_approved_version_drains_the_quarantine_and_leaves_every_other_file_alone(
    product: Product, tmp_path: Path, write: Callable[..., None]
) -> None:
    before = jobs_of(product)
    write(2, PATIENT)
    tried = product("backtest", "gates", "--json", expect=[0]).json["backtest"]["backtest"]
    proposed = propose(product, "--backtest", tried)
    impact = proposed["impact"]
    assert (impact["files_reopened"], impact["released"], impact["outputs"]) == (2, 3, ["gates"])
    assert sorted((each["accepted"], each["quarantined"]) for each in impact["replays"]) == [(2, 0), (3, 0)]
    shown = product("approval", "show", proposed["proposal"]["id"], expect=[0]).out
    assert "2 files with rejected rows" in shown and "2 files as in the backtest, which releases 3 rows" in shown

    reply = decide(product, "approve", proposed["proposal"]["id"])["replay"]
    assert (reply["replay"]["kind"], reply["replay"]["stage"], reply["replay"]["done"]) == ("parser", "done", 2)
    assert (reply["released"], reply["still_failing"], reply["accepted_lost"]) == (3, 0, 0)
    assert reply["replay"]["proposal"] == proposed["proposal"]["id"]
    assert rows(product) == oracle()
    assert groups(product) == []
    after = jobs_of(product)
    assert len([each for each in before if before[each] == after[each]]) == 2

    product("backtest", "gates", "--rekey", expect=[0])
    assert product.run(str(tmp_path / "in"), expect=[0])["run"] == 0
    assert jobs_of(product) == after


@pytest.mark.slow
def test_without_a_backtest_a_version_that_loses_accepted_rows_is_stopped_by_its_first_file(
    product: Product, write: Callable[..., None]
) -> None:
    before = rows(product)
    write(2, PATIENT, rule="if gate > '3': raise ValueError('no such gate')")
    proposed = propose(product)
    said = product("approve", proposed["proposal"]["id"], "--reason", "hurry", expect=[CanaryFailed.exit_code]).out
    assert "3.gate" in said and "stopped" in said
    [entry] = replays(product)
    assert (entry["kind"], entry["stage"], entry["differs"], entry["done"]) == ("parser", "stopped", 1, 0)
    assert [each for each in rows(product) if each[0] < 4] == [each for each in before if each[0] < 4]
    assert groups(product) == [(4, "open")]


@pytest.mark.slow
def test_what_a_process_left_after_it_applied_the_change_is_read_by_the_next_run(
    product: Product, tmp_path: Path, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(2, PATIENT)
    proposed = propose(product)

    def ended(*_args: object, **_named: object) -> None:
        raise Ended

    with monkeypatch.context() as patch:
        patch.setattr("casparian_flow.operations.doing.approval.deciding.hand_over", ended)
        with pytest.raises(Ended):
            decide(product, "approve", proposed["proposal"]["id"])
    assert groups(product) == [(3, "fix_ready")]
    assert [each["stage"] for each in replays(product)] == ["canary"]
    product.run(str(tmp_path / "in"), expect=[0])
    assert [(each["stage"], each["done"]) for each in replays(product)] == [("done", 2)]
    assert rows(product) == oracle()
    assert groups(product) == []
    assert product.run(str(tmp_path / "in"), expect=[0])["run"] == 0


@pytest.mark.slow
def test_files_that_the_version_is_not_given_any_more_wait_as_before(
    product: Product, tmp_path: Path, write: Callable[..., None]
) -> None:
    third = str(tmp_path / "in" / "3.gate")
    product("tags", "add", third, "hot", expect=[0])
    write(2, PATIENT, subscriptions='["hot"]')
    proposed = propose(product)
    assert proposed["impact"]["files_reopened"] == 1
    reply = decide(product, "approve", proposed["proposal"]["id"])["replay"]
    assert (reply["replay"]["files"], reply["released"]) == (1, 2)
    assert groups(product) == [(1, "open")]


@pytest.mark.slow
def test_expectations_under_another_contract_do_not_hold(product: Product, write: Callable[..., None]) -> None:
    write(2, PATIENT)
    tried = product("backtest", "gates", "--json", expect=[0]).json["backtest"]["backtest"]
    proposed = propose(product, "--backtest", tried)
    narrower = product("contract", "amend", "gates", "--rule", "low: range gate ..4", "--json", expect=[0]).json
    decide(product, "approve", narrower["proposal"]["id"])
    reply = decide(product, "approve", proposed["proposal"]["id"])["replay"]
    assert reply["replay"]["stage"] == "done"
    assert rows(product) == [each for each in oracle() if each[0] <= 4]


def test_a_plugin_that_was_changed_keeps_the_files_of_its_pattern_until_it_is_approved_again(
    product_here: ProductHere, tmp_path: Path
) -> None:
    product, folder, plugin = product_here, tmp_path / "in", product_here.home / "plugins" / "evp.py"
    for each in (folder, plugin.parent):
        each.mkdir(parents=True)
    (folder / "a.ev").write_text("1|a\n2|b\n")
    plugin.write_text(
        "from casparian_flow.sdk import PluginMetadata\n\nMANIFEST = PluginMetadata(pattern='*.ev')\n\n\n"
        "def parse(path):\n    for line in open(path):\n        yield 'ev', [{'line': line}]\n"
    )
    product("run", str(folder), expect=[0])
    drafted = product("parser", "propose", "evp", "--json", expect=[0]).json["proposal"]["id"]
    assert product.table("a").num_rows == 2, "before anybody trusts the plugin, what the bytes look like decides"
    decide(product, "approve", drafted)
    product("run", str(folder), expect=[0])
    plugin.write_text(plugin.read_text() + "# version 2\n")
    (folder / "b.ev").write_text("3|c\n4|d\n")
    skipped = product("run", str(folder), "--json", expect=[0]).json["skipped"]
    assert skipped == {"parser_inactive": 2}
    assert product.table("ev").num_rows == 2
    tables = {each["table"] for each in product("tables", "--json", expect=[0]).json["tables"]}
    assert "ev" in tables and "b" not in tables
