"""`--dry-run` gives the answer of a change and changes nothing."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

import pytest

from casparian_flow.clients.control import Control
from casparian_flow.core.quarantine import group_reference
from casparian_flow.operations import index
from casparian_flow.operations.contract.contracts import ApproveContract

CAUSE = group_reference("csv", "sales", "cf.cast", "amount", "A/A")
CHANGES = {
    "quarantine.triage": f"quarantine triage {CAUSE} --owner dana --note 'see ticket 5512'",
    "rules.add": "rules add 'new*' --tag fresh",
    "rules.remove": "rules remove 1",
    "sink.add": "sink add duckdb://tables.duckdb --name lake",
    "sink.remove": "sink remove archive",
    "source.add": "source add . --name here --no-recursive",
    "source.ignore": "source ignore 1 '*.tmp'",
    "source.policy": "source policy 1 retire",
    "source.remove": "source remove 1",
    "source.use": "source use 1",
    "tags.add": "tags add done.csv seen",
    "tags.remove": "tags remove partly.csv odd",
    "token.revoke": "token revoke old",
    "topic.add": "topic add sales --sink duckdb://tables.duckdb",
    "topic.remove": "topic remove staff",
    "topic.set": "topic set sales --sink duckdb://tables.duckdb",
}


def test_every_operation_that_may_be_tried_is_tried_here():
    assert {each.name for each in index.every() if each.may_be_tried} == CHANGES.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_a_dry_run_answers_as_the_change_would_and_changes_nothing(ask, home: Path, name: str):
    ask("sink", "add", "csv://archive", "--name", "archive")
    ask("topic", "set", "staff", "--sink", "csv://staff")
    ask("token", "add", "old", "--scope", "read")
    before = content(home)
    tried = ask(*shlex.split(CHANGES[name]), "--dry-run", "--json")
    assert tried.code == 0, tried.err
    assert content(home) == before
    done = ask(*shlex.split(CHANGES[name]), "--yes", "--json")
    assert content(home) != before
    assert tried.json == {**done.json, "is_dry_run": True}


def test_a_person_reads_first_that_nothing_was_changed(ask):
    said = ask("rules", "remove", "1", "--dry-run")
    assert said.out.splitlines()[0] == "nothing was changed; without --dry-run:"


def test_what_changes_more_than_rows_cannot_be_tried():
    def never(*_):
        raise AssertionError

    with pytest.raises(ValueError, match="more than can be taken back"):
        Control(never, never).attempt(
            "contract.approve", ApproveContract(contract=1, digest="d", at=1, key="k", signature=bytes(64))
        )


def content(home: Path) -> list[str]:
    connection = sqlite3.connect(home / "state.sqlite3")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()
