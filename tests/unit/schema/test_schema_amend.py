"""What a change of a contract risks, and what it may not do to other tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casparian_flow.clients.cli.amending import operations_of
from casparian_flow.core.amendments import Add
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis
from casparian_flow.core.errors import RuleInvalid, UsageError
from casparian_flow.core.proposals import Risk
from casparian_flow.core.rule_text import parse_rule
from casparian_flow.core.tolerances import Outcome, Tolerance
from casparian_flow.schema.amend import amended
from casparian_flow.schema.compatibility import risk_of, verdicts
from casparian_flow.schema.references import check_references
from casparian_flow.schema.wanted import change_wanted

BASE = Contract(
    "t",
    1,
    (
        ContractColumn("a", "int64", nullable=False),
        ContractColumn("b", "string"),
        ContractColumn("s", "string", sensitivity="secret"),
    ),
    rules=(parse_rule("low: range a 0..9"),),
    tolerance=(Tolerance(rows=10),),
)


@pytest.mark.parametrize(
    ("asked", "risk", "reads_old", "keeps_readers"),
    [
        ({"add": ["c:date %d.%m.%Y"]}, Risk.RESTRICTIVE, True, True),
        ({"add": ["c:int64 notnull"]}, Risk.RESTRICTIVE, False, True),
        ({"widen": ["a:decimal(20,1)"]}, Risk.LOSSLESS, True, False),
        ({"relax": ["low"], "widen": ["a:string"]}, Risk.RESTRICTIVE, True, False),
        ({"narrow": ["b:int64"]}, Risk.RESTRICTIVE, False, False),
        ({"relax": ["a:null"]}, Risk.LOSSLESS, True, False),
        ({"relax": ["low: range a -1..9"]}, Risk.LOSSLESS, True, False),
        ({"relax": ["low: range a 1..9"]}, Risk.RESTRICTIVE, False, False),
        ({"rule": ["high: range a ..7"]}, Risk.RESTRICTIVE, False, True),
        ({"tighten": ["b:notnull"]}, Risk.RESTRICTIVE, False, True),
        ({"rename": ["b=bb"]}, Risk.RESTRICTIVE, True, False),
        ({"drop": ["b"]}, Risk.DESTRUCTIVE, True, False),
        ({"reclassify": ["b=personal"]}, Risk.RESTRICTIVE, True, True),
        ({"reclassify": ["s=internal"]}, Risk.DESTRUCTIVE, True, False),
        ({"drift": ["type=rescue_value"]}, Risk.LOSSLESS, True, True),
        ({"drift": ["type=evolve"]}, Risk.RESTRICTIVE, True, True),
        ({"drift": ["new_column=freeze"]}, Risk.RESTRICTIVE, False, True),
        ({"tolerance": ["rows=20"]}, Risk.LOSSLESS, True, True),
        ({"tolerance": ["rows=5,then=fail"]}, Risk.RESTRICTIVE, True, True),
    ],
)
def test_each_kind_of_change_has_its_risk_and_its_verdicts(
    asked: dict[str, list[str]], risk: Risk, reads_old: bool, keeps_readers: bool
) -> None:
    operations = operations_of(asked)
    found = verdicts(BASE, operations)
    assert (risk_of(BASE, operations), found.reads_old, found.keeps_readers) == (risk, reads_old, keeps_readers)


def test_a_new_column_is_harmless_only_where_a_table_has_no_closed_ones() -> None:
    added = operations_of({"add": ["c:string"]})
    assert risk_of(replace(BASE, columns=BASE.columns[:2]), added) is Risk.ADDITIVE
    assert risk_of(BASE, added) is Risk.RESTRICTIVE


@pytest.mark.parametrize(
    ("closed", "asked"),
    [
        ("s=secret", "s=secret:drop"),
        ("s=personal", "s=personal:drop"),
        ("s=internal:null", "s=internal:drop"),
    ],
)
def test_a_closed_column_never_leaves_its_contract_since_it_would_come_back_as_a_new_one(
    closed: str, asked: str
) -> None:
    base = BASE if closed == "s=secret" else amended(BASE, operations_of({"reclassify": [closed]}))
    with pytest.raises(UsageError) as refused:
        amended(base, operations_of({"drop": ["s"]}))
    assert refused.value.fix == f"--reclassify {asked} in place of --drop s"
    dropped = amended(base, operations_of({"reclassify": [asked]}))
    assert dropped.names == BASE.names and "s" not in [each.name for each in dropped.table_columns]
    with pytest.raises(UsageError, match="has no column 's' already"):
        amended(dropped, operations_of({"drop": ["s"]}))


@pytest.mark.parametrize(
    ("columns", "sensitivity"),
    [
        ((), "internal"),
        (("a=personal",), "personal"),
        (("a=personal", "b=secret"), "secret"),
        (("a=internal:null",), "secret"),
    ],
)
def test_a_column_that_appears_in_a_closed_table_is_drafted_as_closed_as_the_most_closed(
    columns: tuple[str, ...], sensitivity: str
) -> None:
    base = replace(BASE, columns=BASE.columns[:2], rules=())
    contract = amended(base, operations_of({"reclassify": columns})) if columns else base
    (asked,) = change_wanted(contract, Axis.NEW_COLUMN, "new", "", None)
    assert isinstance(asked, Add) and asked.column.sensitivity == sensitivity


def test_letting_rows_in_may_take_keys_from_rows_that_fit_where_a_rule_says_unique() -> None:
    keyed = replace(BASE, rules=(*BASE.rules, parse_rule("key: unique b in file")))
    assert not verdicts(keyed, operations_of({"relax": ["a:null"]})).reads_old
    assert verdicts(keyed, operations_of({"rename": ["a=x"]})).reads_old


def test_the_options_are_read_in_the_one_order_in_which_they_can_be_done() -> None:
    asked = {
        "rename": ["b=c"],
        "rule": ["short: length b ..3"],
        "drop": ["d"],
        "tolerance": ["ratio=0.5,then=continue"],
    }
    base = replace(BASE, columns=(*BASE.columns, ContractColumn("d", "string")))
    after = amended(base, operations_of(asked))
    assert after.names == ("a", "c", "s") and after.version == 2
    assert after.columns[1].aliases == ("b",)
    assert [rule.columns for rule in after.rules] == [("a",), ("c",)]
    assert after.tolerance == (Tolerance(ratio=0.5, outcome=Outcome.CONTINUE),)


def test_a_class_that_is_none_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError) as refused:
        operations_of({"reclassify": ["b=secrit"]})
    assert "secrit" in refused.value.message and refused.value.fix == "one of: public internal personal secret"


def test_rules_between_tables_are_asked_together_with_the_contracts_of_both() -> None:
    users = Contract("users", 1, (ContractColumn("id", "int64"), ContractColumn("boss", "int64")))
    log = Contract("log", 1, (ContractColumn("user", "int64"),), rules=(parse_rule("of: reference user to users id"),))
    both = {"users": users, "log": log}
    check_references(log, both, {})
    for broken in (
        replace(users, columns=users.columns[1:]),
        replace(users, columns=(ContractColumn("id", "string"),)),
        replace(users, rules=(parse_rule("back: reference boss to log user"),)),
    ):
        with pytest.raises(RuleInvalid):
            check_references(broken, both, {})
    with pytest.raises(RuleInvalid):
        check_references(log, {}, {})


def test_a_new_rule_refers_to_a_table_that_lies_beside_its_own() -> None:
    users = Contract("users", 1, (ContractColumn("id", "int64"),))
    log = Contract("log", 1, (ContractColumn("user", "int64"),))
    ruled = replace(log, rules=(parse_rule("of: reference user to users id"),))
    apart = {"log": {"parquet:///a", "csv:///c"}, "users": {"parquet:///b"}}
    with pytest.raises(RuleInvalid) as refused:
        check_references(ruled, {"users": users, "log": log}, apart)
    assert refused.value.message == "rule of of log refers to users, which is in no sink that log is in"
    assert refused.value.fix == "casparian topic set users --sink parquet:///b --sink csv:///c"
    beside = {**apart, "users": {"parquet:///b", "csv:///c"}}
    for sinks in (beside, {"log": apart["log"]}, {"users": apart["users"]}):
        check_references(ruled, {"users": users, "log": log}, sinks)
    check_references(replace(ruled, version=2), {"users": users, "log": ruled}, apart)  # it was there before


def test_a_name_that_is_taken_is_refused_with_the_command_that_makes_one_column_of_two() -> None:
    two = Contract("t", 1, (ContractColumn("old", "string"), ContractColumn("new", "string")))
    with pytest.raises(UsageError) as refused:
        amended(two, operations_of({"rename": ["old=new"]}))
    assert refused.value.fix == "casparian contract amend t --drop new --rename old=new"
    one = amended(two, operations_of({"drop": ["new"], "rename": ["old=new"]}))
    assert [(column.name, column.aliases) for column in one.columns] == [("new", ("old",))]
