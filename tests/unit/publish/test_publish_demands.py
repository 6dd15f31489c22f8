"""Rules and drift modes are read from a manifest; what no contract can keep names its line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.errors import ParserInvalid
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.publish.manifest import Manifest, read_manifest
from casparian_flow.sentinel.planning.catalog import manifest_text

OUTPUTS = "outputs={'x': [Column('n', 'int64'), Column('t')]},\n"
PARSE = "\ndef parse(path):\n    return None\n"


def read(folder: Path, declared: str) -> Manifest:
    path = folder / "sample.py"
    path.write_text(f"MANIFEST = PluginMetadata({OUTPUTS}{declared}){PARSE}")
    return read_manifest(path)


def test_rules_and_modes_are_those_of_their_output(tmp_path: Path) -> None:
    manifest = read(
        tmp_path,
        "rules={'x': [Rule('a', 'range', 'n', low=1, high='9'), Rule('b', 'set', ['t'], values=['u', 3])]},\n"
        "drift={'x': {'rule': 'rescue_value', 'new_column': 'freeze'}}",
    )
    assert manifest.rules == {
        "x": (
            Rule("a", RuleKind.RANGE, ("n",), low="1", high="9"),
            Rule("b", RuleKind.SET, ("t",), values=("u", "3")),
        )
    }
    assert manifest.drift == {"x": ((Axis.RULE, Mode.RESCUE_VALUE), (Axis.NEW_COLUMN, Mode.FREEZE))}
    assert msgspec.json.decode(manifest_text(manifest), type=Manifest).rules == manifest.rules


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("rules=[Rule('a', 'range', 'n')]", "`rules` must be a dict by output"),
        ("rules={'y': []}", "names an output whose columns are not declared"),
        ("rules={'x': Rule('a', 'range', 'n')}", "must be a list of Rule"),
        ("rules={'x': ['a']}", "expected Rule(...)"),
        ("rules={'x': [Rule('a', 'range')]}", "a Rule needs `columns`"),
        ("rules={'x': [Rule('a', 'between', 'n', low=1)]}", "'between' is none of range, set"),
        ("rules={'x': [Rule('a', 'range', 'n', low=[1])]}", "neither text nor a number"),
        ("rules={'x': [Rule('a', 'range', 'm', low=1)]}", "has no column 'm'"),
        ("rules={'x': [Rule('a', 'range', 'n', low='soon')]}", "'soon' is no int64"),
        ("rules={'x': [Rule('a', 'pattern', 't', pattern='(')]}", "is no RE2 pattern"),
        ("rules={'x': [Rule('a', 'set', 'n', values=[1]), Rule('a', 'set', 'n', values=[2])]}", "two rules are called"),
        ("drift={'x': ['rule']}", "must be a dict of axes and modes"),
        ("drift={'x': {'rule': 'evolve'}}", "rule cannot be evolve"),
        ("drift={'x': {'columns': 'freeze'}}", "'columns' is none of new_output"),
        ("drift={'x': {'new_output': 'freeze'}}", "outputs that have none"),
    ],
)
def test_what_no_contract_can_keep_names_its_line(tmp_path: Path, declared: str, message: str) -> None:
    with pytest.raises(ParserInvalid) as caught:
        read(tmp_path, declared)
    assert message in caught.value.message
    assert caught.value.where == f"{tmp_path / 'sample.py'}:2"
