"""What a contract enforces, which modes hold for a table, and what no contract can be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from casparian_flow.core.contract_checks import MOST_RULES, check_contract, needs_append
from casparian_flow.core.contract_text import from_json, to_json
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.drift import ALLOWED, BUILT_IN, Axis, Mode, Modes, check_mode
from casparian_flow.core.errors import RuleInvalid, UsageError
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.core.tolerances import Tolerance
from casparian_flow.core.treatments import Treatment, parts_kept, treatment_in_force
from casparian_flow.settings import DriftSettings

OLD_TEXT = (
    '{"columns": [{"description": "", "format": null, "name": "port", "note": "", "nullable": true, "original": null, '
    '"sensitivity": "internal", "type": "int64"}, {"description": "", "format": null, "name": "owner", "note": "", '
    '"nullable": true, "original": null, "sensitivity": "public", "type": "string"}], "headerless": true, '
    '"origin": "declared", "table": "fw_log", "version": 7}'
)
PLAIN = Contract(
    "fw_log",
    7,
    (ContractColumn("port", "int64"), ContractColumn("owner", "string", sensitivity="public")),
    True,
    Origin.DECLARED,
)
WIDE = Contract(
    "sales",
    1,
    (
        ContractColumn("id", "int64", False),
        ContractColumn("at", "date", True, "%d/%m/%Y"),
        ContractColumn("grö ße", "decimal(10,2)", original="Grö ße", note="n"),
    ),
)


@pytest.mark.parametrize(
    ("contract", "known"),
    [
        (WIDE, "blake3:b29af36cbebeacab02895e93748537ecd027279682a74d1261933ebd0fca236e"),
        (PLAIN, "blake3:2745750bb2084e3154909e4ea259678328b04822bf0b168aad22956f2238f554"),
        (Contract("t", 1, ()), "blake3:c5a8f9d756df9ea045394c8fcec8c7ff21d6595412dadbeff72890226e95b686"),
    ],
)
def test_contracts_of_the_first_release_keep_their_hash(contract, known):
    assert contract.hash == known


def test_a_contract_of_the_first_release_is_read_and_written_as_it_was():
    assert from_json(OLD_TEXT) == PLAIN
    assert to_json(PLAIN) == OLD_TEXT


@pytest.mark.parametrize(
    "changed",
    [
        replace(WIDE, rules=(Rule("r", RuleKind.RANGE, ("id",), low="1"),)),
        replace(WIDE, columns=(replace(WIDE.columns[0], sensitivity="personal"), *WIDE.columns[1:])),
        replace(WIDE, columns=(replace(WIDE.columns[0], treatment=Treatment.NULL), *WIDE.columns[1:])),
        replace(WIDE, columns=(replace(WIDE.columns[0], aliases=("number",)), *WIDE.columns[1:])),
    ],
)
def test_rules_classes_treatments_and_older_names_are_in_the_hash(changed):
    assert changed.hash != WIDE.hash
    assert from_json(to_json(changed)) == changed


def test_the_settings_allow_what_the_axes_do_and_begin_with_what_is_built_in():
    assert DriftSettings().modes == BUILT_IN
    hints = {field: DriftSettings.__annotations__[field] for field in DriftSettings.__struct_fields__}
    assert list(hints) == [axis.value for axis in Axis]
    for axis in Axis:
        for mode in Mode:
            if mode in ALLOWED[axis]:
                assert BUILT_IN.with_overrides([(axis, mode)]).of(axis) is mode
                check_mode(axis, mode)
            else:
                with pytest.raises(UsageError):
                    check_mode(axis, mode)


def test_what_a_table_says_itself_wins_over_the_settings():
    settings = DriftSettings(type="rescue_value", rule="freeze").modes
    effective = settings.with_overrides(((Axis.RULE, Mode.PROPOSE),))
    assert effective == Modes(type=Mode.RESCUE_VALUE, rule=Mode.PROPOSE)
    assert effective.digest not in (settings.digest, BUILT_IN.digest)
    assert Modes().digest == BUILT_IN.digest


def of_rule(**given: Any) -> Contract:
    columns = (
        ContractColumn("n", "int64"),
        ContractColumn("s", "string"),
        ContractColumn("f", "float64"),
        ContractColumn("j", "json"),
        ContractColumn("hidden", "string", treatment=Treatment.NULL),
        ContractColumn("pseudonym", "string", sensitivity="secret"),
    )
    return Contract("t", 1, columns, rules=(Rule("r", **given),))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": RuleKind.RANGE, "columns": ("n",), "low": "1", "high": "2"},
        {"kind": RuleKind.SET, "columns": ("s",), "values": ("a",)},
        {"kind": RuleKind.PATTERN, "columns": ("s",), "pattern": "a+"},
        {"kind": RuleKind.LENGTH, "columns": ("s",), "high": "3"},
        {"kind": RuleKind.UNIQUE, "columns": ("n", "pseudonym"), "scope": UniqueScope.FILE},
        {"kind": RuleKind.REFERENCE, "columns": ("n",), "table": "other", "references": ("id",)},
    ],
)
def test_a_rule_that_makes_sense_is_taken(given):
    check_contract(of_rule(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": RuleKind.RANGE, "columns": ("n",)},
        {"kind": RuleKind.RANGE, "columns": ("s",), "low": "1"},
        {"kind": RuleKind.RANGE, "columns": ("n",), "low": "1", "pattern": "a"},
        {"kind": RuleKind.RANGE, "columns": ("n", "f"), "low": "1"},
        {"kind": RuleKind.RANGE, "columns": (), "low": "1"},
        {"kind": RuleKind.RANGE, "columns": ("absent",), "low": "1"},
        {"kind": RuleKind.SET, "columns": ("s",)},
        {"kind": RuleKind.SET, "columns": ("s",), "values": ("v",) * 10_001},
        {"kind": RuleKind.LENGTH, "columns": ("s",), "low": "-1"},
        {"kind": RuleKind.LENGTH, "columns": ("s",), "low": "3", "high": "2"},
        {"kind": RuleKind.UNIQUE, "columns": ("n",)},
        {"kind": RuleKind.UNIQUE, "columns": ("f",), "scope": UniqueScope.FILE},
        {"kind": RuleKind.UNIQUE, "columns": ("j",), "scope": UniqueScope.FILE},
        {"kind": RuleKind.UNIQUE, "columns": ("n", "n"), "scope": UniqueScope.FILE},
        {"kind": RuleKind.UNIQUE, "columns": ("hidden",), "scope": UniqueScope.FILE},
        {"kind": RuleKind.REFERENCE, "columns": ("n",), "table": "t", "references": ("n",)},
        {"kind": RuleKind.REFERENCE, "columns": ("n",), "table": "other", "references": ("a", "b")},
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused(given):
    with pytest.raises(RuleInvalid):
        check_contract(of_rule(**given))


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAIN, rules=tuple(Rule(f"r{n}", RuleKind.RANGE, ("port",), low="1") for n in range(MOST_RULES + 1))),
        replace(PLAIN, rules=(Rule("r", RuleKind.RANGE, ("port",), low="1"),) * 2),
        replace(PLAIN, drift=((Axis.TYPE, Mode.FREEZE), (Axis.TYPE, Mode.PROPOSE))),
        replace(PLAIN, drift=((Axis.NEW_OUTPUT, Mode.PROPOSE),)),
        replace(PLAIN, drift=((Axis.RULE, Mode.EVOLVE),)),
        replace(
            PLAIN,
            drift=((Axis.RULE, Mode.RESCUE_VALUE),),
            rules=(Rule("r", RuleKind.UNIQUE, ("port",), scope=UniqueScope.FILE),),
        ),
        replace(
            PLAIN,
            takes_undeclared=("own",),
            rules=(Rule("r", RuleKind.UNIQUE, ("port",), scope=UniqueScope.TABLE),),
        ),
        replace(PLAIN, tolerance=(Tolerance(),)),
        replace(PLAIN, tolerance=(Tolerance(ratio=1.5),)),
        replace(PLAIN, tolerance=(Tolerance(rows=-1),)),
        replace(PLAIN, columns=(ContractColumn("a", "int64", aliases=("b",)), ContractColumn("b", "int64"))),
        replace(PLAIN, columns=(ContractColumn("a", "int64", aliases=("b",)),)),
        replace(PLAIN, columns=(ContractColumn("a", "string", treatment=Treatment.PARTIAL, treatment_argument="x"),)),
        replace(PLAIN, columns=(ContractColumn("a", "string", treatment=Treatment.FIXED),)),
        replace(PLAIN, columns=(ContractColumn("a", "string", treatment_argument="x"),)),
        replace(PLAIN, columns=(ContractColumn("a", "string", sensitivity="hush"),)),
    ],
)
def test_combinations_that_make_no_sense_are_refused_where_they_are_set(changed):
    with pytest.raises(UsageError):
        check_contract(changed)


def test_rules_about_the_whole_table_need_a_table_that_keeps_its_rows():
    assert needs_append(of_rule(kind=RuleKind.UNIQUE, columns=("n",), scope=UniqueScope.TABLE)) == "r"
    assert needs_append(of_rule(kind=RuleKind.UNIQUE, columns=("n",), scope=UniqueScope.FILE)) is None


def test_a_secret_is_a_pseudonym_unless_its_column_says_otherwise():
    assert treatment_in_force("secret", None) is Treatment.PSEUDONYM
    assert treatment_in_force("personal", None) is treatment_in_force("internal", None) is Treatment.KEEP
    assert treatment_in_force("secret", Treatment.NULL) is Treatment.NULL
    assert parts_kept("3-4") == (3, 4)
