"""Rules as lines that a person types."""

from __future__ import annotations

import pytest

from casparian_flow.core.errors import RuleInvalid
from casparian_flow.core.rule_text import parse_rule, rule_text
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope

RULES = {
    "port: range dst_port 1..65535": Rule("port", RuleKind.RANGE, ("dst_port",), low="1", high="65535"),
    "late: range at 2024-01-01 00:00:00..": Rule("late", RuleKind.RANGE, ("at",), low="2024-01-01 00:00:00"),
    "short: length name ..9": Rule("short", RuleKind.LENGTH, ("name",), high="9"),
    'kind: set "the kind" open "half open" ""': Rule(
        "kind", RuleKind.SET, ("the kind",), values=("open", "half open", "")
    ),
    "hex: pattern id [0-9a-f]{8}( |$)": Rule("hex", RuleKind.PATTERN, ("id",), pattern="[0-9a-f]{8}( |$)"),
    "key: unique host at in table": Rule("key", RuleKind.UNIQUE, ("host", "at"), scope=UniqueScope.TABLE),
    "of: reference user to users id": Rule("of", RuleKind.REFERENCE, ("user",), table="users", references=("id",)),
}


@pytest.mark.parametrize("line", RULES)
def test_a_line_stands_for_a_rule_and_the_rule_for_the_line(line: str) -> None:
    assert parse_rule(line) == RULES[line]
    assert rule_text(RULES[line]) == line


@pytest.mark.parametrize(
    "line",
    ["", "range a 1..2", "x: ranges a 1..2", "x: range a 1", "x: set a", "x: unique a", 'x: set a "b', "x: range"],
)
def test_a_line_that_is_no_rule_is_refused_with_the_forms_that_are(line: str) -> None:
    with pytest.raises(RuleInvalid) as refused:
        parse_rule(line)
    assert "NAME: range COLUMN LOW..HIGH" in refused.value.fix
