"""What a refused change of a contract says to type instead is taken, and is not refused for the same reason."""

from __future__ import annotations

import shlex

import pytest

from casparian_flow.clients.cli.amending import operations_of
from casparian_flow.clients.cli.commands.contract import amend
from casparian_flow.clients.cli.errors import Failure, pasteable
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.rule_text import parse_rule
from casparian_flow.schema.amend import amended

BASE = Contract(
    "a table",
    1,
    (
        ContractColumn("n", "int64"),
        ContractColumn("k", "int64"),
        ContractColumn("first name", "string"),
        ContractColumn("at", "string"),
        ContractColumn("ssn", "string", sensitivity="secret"),
        ContractColumn("no one", "string", sensitivity="personal"),
    ),
    rules=(parse_rule("low: range n 0..9"), parse_rule("few: set n 1 2")),
)
TYPED = ["contract", "amend", "a table"]


def refusal(words: list[str]) -> CasparianError | None:
    """Why the command is refused; None if the contract can be changed so."""
    given = amend.make_context("amend", words[2:]).params
    try:
        amended(BASE, operations_of({name: value for name, value in given.items() if isinstance(value, tuple)}))
    except CasparianError as exc:
        return exc
    return None


@pytest.mark.parametrize(
    ("asked", "fixed"),
    [
        (["--drop", "ssn"], ["--reclassify", "ssn=secret:drop"]),
        (["--drop=ssn", "--add", "x:int64"], ["--add", "x:int64", "--reclassify", "ssn=secret:drop"]),
        (["--drop", "no one"], ["--reclassify", "no one=personal:drop"]),
        (["--widen", "k:boolean"], ["--narrow", "k:boolean"]),
        (["--widen=first name:int64"], ["--narrow", "first name:int64"]),
        (
            ["--widen", "at:date %d.%m.%Y", "--widen", "k:string"],
            ["--widen", "k:string", "--narrow", "at:date %d.%m.%Y"],
        ),
        (["--drop", "n"], ["--drop", "n", "--relax", "low", "--relax", "few"]),
        (["--rename", "first name=at"], ["--drop", "at", "--rename", "first name=at"]),
        (
            ["--rule", "one: unique n in file", "--drift", "rule=rescue_value"],
            ["--rule", "one: unique n in file", "--drift", "rule=rescue_value", "--drift", "rule=quarantine_row"],
        ),
    ],
)
def test_the_fix_of_a_refused_change_is_a_command_that_changes_it(asked: list[str], fixed: list[str]) -> None:
    refused = refusal([*TYPED, *asked])
    assert refused is not None
    said = pasteable(Failure(code="usage", message=refused.message, fix=refused.fix), [*TYPED, *asked])
    assert shlex.split(said.fix) == ["casparian", *TYPED, *fixed]
    assert refusal(shlex.split(said.fix)[1:]) is None


def test_a_fix_that_takes_the_place_of_an_option_is_added_where_it_was_not_typed() -> None:
    failure = Failure(code="usage", message="no", fix="--narrow n:date in place of --widen n")
    said = pasteable(failure, [*TYPED, "--widen", "no:date", "--", "x y"])
    assert said.fix == "casparian contract amend 'a table' --widen no:date --narrow n:date -- 'x y'"
