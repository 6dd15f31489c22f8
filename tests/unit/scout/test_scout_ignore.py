from __future__ import annotations

import os
from pathlib import Path

import pytest

from casparian_flow.core.errors import UsageError
from casparian_flow.scout.ignore import MAX_RULES_BYTES, parse_rules, rules_of_source


@pytest.mark.parametrize(
    ("rules", "path", "is_ignored"),
    [
        ("*.log", b"a/b.log", True),
        ("/top.log", b"a/top.log", False),
        ("build/", b"a/build/", True),
        ("build/", b"build", False),
        ("**/x/*.csv", b"q/x/1.csv", True),
        ("*.csv\n!keep.csv", b"keep.csv", False),
        ("# comment\n\n", b"comment", False),
        ("*.b\xff", b"n\xff.bin", False),
        ("*.bin", b"n\xff.bin", True),
    ],
)
def test_rules_mean_what_they_mean_to_git(rules: str, path: bytes, is_ignored: bool) -> None:
    assert parse_rules(rules).ignores(path) is is_ignored


def test_a_line_that_is_no_rule_is_named() -> None:
    with pytest.raises(UsageError, match="line 2"):
        parse_rules("*.ok\n!\n")


def test_the_file_at_the_root_has_the_last_word(evidence: Path) -> None:
    (evidence / ".casparianignore").write_text("!b.log\n")
    rules = rules_of_source(os.fsencode(evidence), "*.log")
    assert rules.ignores(b"a.log")
    assert not rules.ignores(b"b.log")


def test_a_pipe_in_place_of_the_rules_is_not_waited_for(evidence: Path) -> None:
    os.mkfifo(evidence / ".casparianignore")
    assert not rules_of_source(os.fsencode(evidence), "").ignores(b"x")


def test_rules_without_end_are_refused(evidence: Path) -> None:
    (evidence / ".casparianignore").write_bytes(b"#" * (MAX_RULES_BYTES + 1))
    with pytest.raises(UsageError, match="1 MiB"):
        rules_of_source(os.fsencode(evidence), "")
