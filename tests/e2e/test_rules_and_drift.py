"""Value rules and drift modes, from a parser's declaration or the settings to tables, quarantine and reasons."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.lineage import RESCUED
from casparian_flow.core.outputs import Role
from product import ProductHere

PARSER = """
import csv

from casparian_flow.sdk import Column, PluginMetadata, Rule

MANIFEST = PluginMetadata(
    outputs={{"flows": [Column("port", "int64"), Column("proto"), Column("bytes", "int64", nullable=False)]}},
    rules={{"flows": [
        Rule("ports", "range", "port", low=0, high=65535),
        Rule("protocols", "set", "proto", values=["tcp", "udp"]),
        Rule("short", "length", "proto", high=4),
        Rule("lower", "pattern", "proto", pattern="[a-z]+"),
        {once}
    ]}},
    drift={{"flows": {drift!r}}},
)

def parse(path):
    with open(path, newline="") as file:
        yield "flows", [{{name: cell or None for name, cell in row.items()}} for row in csv.DictReader(file)]
"""

FLOWS = "port,proto,bytes\n443,tcp,1\n70000,tcp,2\n,udp,3\n53,ICMPv6,4\n80,tcp,5\n"


@pytest.fixture
def run(product_here: ProductHere, tmp_path: Path) -> Callable[..., Any]:
    """Runs one file through the parser with these modes of its own; the reply."""

    def read(text: str, *arguments: str, drift: dict[str, str] | None = None, once: str = "") -> Any:
        parser = tmp_path / "flow_parser.py"
        parser.write_text(textwrap.dedent(PARSER.format(drift=drift or {}, once=once)))
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        (data / "flows.csv").write_text(text)
        return product_here.run(str(data), "--parser", str(parser), *arguments, expect=(0, 1, 3))

    return read


def rows(product: ProductHere, role: Role = Role.ACCEPTED) -> list[dict[str, Any]]:
    return product.table("flows", role).to_pylist()


def test_rows_that_break_rules_are_rejected_with_every_rule_they_break(
    product_here: ProductHere, run: Callable[..., Any]
) -> None:
    reply = run(FLOWS)
    assert [row["bytes"] for row in rows(product_here)] == [1, 3, 5]
    rejected = rows(product_here, Role.QUARANTINE)
    assert [[error["code"] for error in row["errors"]] for row in rejected] == [
        ["cf.rule.range"],
        ["cf.rule.set", "cf.rule.length", "cf.rule.pattern"],
    ]
    assert rejected[0]["message"] == "port: expected 0 to 65535 (ports), found '70000'"
    assert reply["outcome"] == "quarantined"


def test_a_table_may_rescue_values_that_break_its_rules(product_here: ProductHere, run: Callable[..., Any]) -> None:
    run(FLOWS, drift={"rule": "rescue_value"})
    found = {row["bytes"]: (row["port"], row["proto"], row[RESCUED]) for row in rows(product_here)}
    assert found[1] == (443, "tcp", None)
    assert found[2] == (None, "tcp", [{"column": "port", "raw": "70000", "code": "cf.rule.range"}])
    assert found[4] == (53, None, [{"column": "proto", "raw": "ICMPv6", "code": "cf.rule.set"}])
    assert len(found) == 5


def test_of_rows_with_one_key_the_first_that_fits_stays_in_each_file(
    product_here: ProductHere, run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "other.csv").write_text("port,proto,bytes\n80,tcp,1\n")
    once = """Rule("once", "unique", ["port", "bytes"], scope="file"),"""
    run("port,proto,bytes\n80,TCP,1\n80,tcp,1\n80,udp,1\n,udp,1\n,udp,1\n", once=once)
    assert sorted(str((row["port"], row["proto"])) for row in rows(product_here)) == [
        "(80, 'tcp')",
        "(80, 'tcp')",
        "(None, 'udp')",
        "(None, 'udp')",
    ]
    assert sorted(row["message"] for row in rows(product_here, Role.QUARANTINE)) == [
        "port, bytes: expected no other row of the file with this port, bytes (once), found '80, 1'",
        "proto: expected one of tcp, udp (protocols), found 'TCP' (and 1 more)",
    ]


def test_settings_hold_where_a_table_says_nothing(product_here: ProductHere, run: Callable[..., Any]) -> None:
    product_here("config", "set", "drift.type", "rescue_value", expect=[0])
    product_here("config", "set", "drift.new_column", "quarantine_row", expect=[0])
    run("port,proto,bytes,zone\nx,tcp,1,\n1,tcp,2,north\n")
    assert [(row["bytes"], row["port"], row[RESCUED]) for row in rows(product_here)] == [
        (1, None, [{"column": "port", "raw": "x", "code": "cf.cast.int64"}])
    ]
    assert [row["code"] for row in rows(product_here, Role.QUARANTINE)] == ["cf.column.new"]


def test_a_frozen_table_holds_the_file_that_differs_until_the_mode_is_another(
    product_here: ProductHere, run: Callable[..., Any], tmp_path: Path
) -> None:
    product_here("config", "set", "drift.new_column", "freeze", expect=[0])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fits.csv").write_text("port,proto,bytes\n1,tcp,1\n")
    differs = "port,proto,bytes,zone\n1,tcp,2,north\n"
    reply = run(differs)
    [failed] = reply["failures"]
    assert (failed["path"], failed["code"]) == ("flows.csv", "contract-frozen")
    assert "'zone' is no column of it" in failed["message"]
    assert [row["bytes"] for row in rows(product_here)] == [1]
    assert run(differs)["skipped"]["held_by_policy"] == 1
    product_here("config", "set", "drift.new_column", "propose", expect=[0])
    assert run(differs)["completed"] == 1
    assert {row["bytes"]: row[RESCUED] for row in rows(product_here)} == {
        1: None,
        2: [{"column": "zone", "raw": "north", "code": "cf.column.new"}],
    }


def test_only_files_that_a_mode_matters_to_are_read_again_under_another(
    product_here: ProductHere, run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fits.csv").write_text("port,proto,bytes\n1,tcp,1\n")
    run(FLOWS)
    product_here("config", "set", "drift.rule", "rescue_value", expect=[0])
    assert run(FLOWS)["completed"] == 1
    assert sorted(row["bytes"] for row in rows(product_here)) == [1, 1, 2, 3, 4, 5]
    assert run(FLOWS)["completed"] == 0


@pytest.mark.parametrize("mode", ["propose", "freeze", "evolve", "quarantine_row"])
def test_an_output_that_is_not_declared_fares_as_the_settings_say(
    product_here: ProductHere, tmp_path: Path, mode: str
) -> None:
    parser, data = tmp_path / "more.py", tmp_path / "data"
    parser.write_text(
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        "MANIFEST = PluginMetadata(outputs={'known': [Column('n', 'int64')]})\n"
        "def parse(path):\n    yield 'known', [{'n': 1}]\n    yield 'other', [{'m': 'x'}]\n"
    )
    data.mkdir()
    (data / "one.txt").write_text("x")
    product_here("config", "set", "drift.new_output", mode, expect=[0])
    reply = product_here.run(str(data), "--parser", str(parser), expect=(0, 1, 3))
    shown = {(name, str(role)) for role in Role for name in product_here.tables(role)}
    if mode == "freeze":
        assert ([each["code"] for each in reply["failures"]], shown) == (["contract-frozen"], set())
        again = product_here.run(str(data), "--parser", str(parser), expect=(0, 1, 3))
        assert again["skipped"]["held_by_policy"] == 1
        assert "casparian config set drift.new_output propose" in reply["failures"][0]["why"]
    elif mode in ("propose", "quarantine_row"):
        assert shown == {("known", "accepted"), ("other", "quarantine")}
        assert len(reply["drafted"]) == (mode == "propose")
        assert product_here.table("other", Role.QUARANTINE)["code"].to_pylist() == ["cf.output.undeclared"]
    else:
        assert shown == {("known", "accepted"), ("other", "accepted"), ("other", "quarantine")}
        assert product_here.table("other")["m"].to_pylist() == ["x"]
        assert product_here.table("other", Role.QUARANTINE).num_rows == 0
