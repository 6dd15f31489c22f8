"""Whether a contract can be kept: refuses what makes no sense where it is set, before any row is asked.

What needs a library of data (whether a bound is a value of its type, a pattern one that RE2 takes) or other contracts
is asked by `schema` and `sentinel`, which know them.
"""

from __future__ import annotations

from collections.abc import Iterable

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode, check_overrides
from casparian_flow.core.errors import RuleInvalid, UsageError
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.core.tolerances import check_tolerances
from casparian_flow.core.treatments import CHANGING, Treatment, check_treatment, treatment_in_force
from casparian_flow.core.types import parse_type

MOST_RULES = 64
MOST_VALUES = 10_000
LONGEST_NAME = 100
LONGEST_PATTERN = 2_000

_USED: dict[RuleKind, frozenset[str]] = {
    RuleKind.RANGE: frozenset({"low", "high"}),
    RuleKind.SET: frozenset({"values"}),
    RuleKind.PATTERN: frozenset({"pattern"}),
    RuleKind.LENGTH: frozenset({"low", "high"}),
    RuleKind.UNIQUE: frozenset({"scope"}),
    RuleKind.REFERENCE: frozenset({"table", "references"}),
}
"""The fields that each kind uses beside name and columns."""
_ORDERED = frozenset({"int64", "float64", "decimal", "date", "time", "timestamp", "timestamp_tz", "duration"})
_TYPES: dict[RuleKind, frozenset[str]] = {
    RuleKind.RANGE: _ORDERED,
    RuleKind.SET: _ORDERED | {"boolean", "string"},
    RuleKind.PATTERN: frozenset({"string"}),
    RuleKind.LENGTH: frozenset({"string", "binary", "list"}),
    RuleKind.UNIQUE: _ORDERED - {"float64"} | {"boolean", "string", "binary"},
    RuleKind.REFERENCE: _ORDERED - {"float64"} | {"boolean", "string", "binary"},
}
"""The types of column that each kind can be about: keys are values of which one text is the only one."""


def check_contract(contract: Contract) -> None:
    """Raises UsageError, of rules RuleInvalid, unless the contract can be kept as it stands."""
    check_overrides(contract.drift)
    check_tolerances(contract.tolerance)
    for column in contract.columns:
        check_treatment(column.sensitivity, column.treatment, column.treatment_argument)
    _check_names(contract)
    if len(contract.rules) > MOST_RULES:
        raise RuleInvalid(f"{contract.table} has {len(contract.rules)} rules; {MOST_RULES} is the most")
    names = [rule.name for rule in contract.rules]
    if len(set(names)) < len(names):
        raise RuleInvalid(f"two rules are called {next(name for name in names if names.count(name) > 1)}")
    by_name = {column.name: column for column in contract.columns}
    for rule in contract.rules:
        _check_form(rule)
        _check_place(rule, contract.table, by_name)
    if any(rule.is_about_rows for rule in contract.rules) and (Axis.RULE, Mode.RESCUE_VALUE) in contract.drift:
        raise RuleInvalid(
            "a row that breaks a rule about several rows has no value that could be rescued",
            fix="--drift rule=quarantine_row",
        )
    if contract.takes_undeclared and needs_append(contract) is not None:
        raise RuleInvalid(
            f"{contract.table} takes outputs that no parser declares: which jobs bring rows to it is not known before",
            why="a rule about rows that were there before asks for one job after another",
            fix="let the parser declare the output, or a rule with scope file",
        )


def _check_names(contract: Contract) -> None:
    """Every name, older ones too, means one column."""
    names = [name for column in contract.columns for name in (column.name, *column.aliases)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two columns of {contract.table} answer to the name {twice!r}")
    if contract.headerless and any(column.aliases for column in contract.columns):
        raise UsageError(f"the files of {contract.table} name no columns, so that these have no older names")


def _check_form(rule: Rule) -> None:
    """The rule by itself: exactly the fields of its kind are filled."""
    if not rule.name or len(rule.name) > LONGEST_NAME or not rule.name.isprintable():
        raise RuleInvalid(f"a rule's name has 1 to {LONGEST_NAME} characters that can be shown, unlike {rule.name!r}")
    filled = {
        "low": rule.low is not None,
        "high": rule.high is not None,
        "values": bool(rule.values),
        "pattern": rule.pattern is not None,
        "scope": rule.scope is not None,
        "table": rule.table is not None,
        "references": bool(rule.references),
    }
    used = _USED[rule.kind]
    if strange := sorted(name for name, is_filled in filled.items() if is_filled and name not in used):
        raise RuleInvalid(f"rule {rule.name}: {rule.kind} takes no {strange[0]}")
    needed = used if rule.kind not in (RuleKind.RANGE, RuleKind.LENGTH) else frozenset[str]()
    if missing := sorted(name for name in needed if not filled[name]):
        raise RuleInvalid(f"rule {rule.name}: {rule.kind} needs {missing[0]}")
    if not needed and not (filled["low"] or filled["high"]):
        raise RuleInvalid(f"rule {rule.name}: {rule.kind} needs low, high, or both")
    if len(rule.values) > MOST_VALUES or len(rule.pattern or "") > LONGEST_PATTERN:
        raise RuleInvalid(
            f"rule {rule.name}: a set has at most {MOST_VALUES} values, a pattern {LONGEST_PATTERN} characters"
        )
    if rule.kind is RuleKind.LENGTH:
        _check_lengths(rule)


def _check_lengths(rule: Rule) -> None:
    bounds = [bound for bound in (rule.low, rule.high) if bound is not None]
    if not all(bound.isascii() and bound.isdigit() and len(bound) < 19 for bound in bounds):
        raise RuleInvalid(f"rule {rule.name}: a length is a whole number from 0 up")
    if len(bounds) == 2 and int(bounds[0]) > int(bounds[1]):
        raise RuleInvalid(f"rule {rule.name}: no length lies from {bounds[0]} to {bounds[1]}")


def _check_place(rule: Rule, table: str, columns: dict[str, ContractColumn]) -> None:
    """The rule in its table: its columns are there, and of types that it can be about."""
    if not rule.columns or len(set(rule.columns)) < len(rule.columns):
        raise RuleInvalid(f"rule {rule.name} names no column, or one twice")
    if not rule.is_about_rows and len(rule.columns) > 1:
        raise RuleInvalid(f"rule {rule.name}: {rule.kind} is about one column")
    if unknown := [name for name in rule.columns if name not in columns]:
        raise RuleInvalid(f"rule {rule.name}: {table} has no column {unknown[0]!r}", why=_listed(columns))
    for name in rule.columns:
        column = columns[name]
        kind = parse_type(column.type).name
        if kind not in _TYPES[rule.kind]:
            raise RuleInvalid(f"rule {rule.name}: {rule.kind} cannot be about {name}, which is {column.type}")
        treatment = treatment_in_force(column.sensitivity, column.treatment)
        if rule.is_about_rows and treatment in CHANGING:
            raise RuleInvalid(f"rule {rule.name}: the values of {name} are not kept, so that they are nobody's key")
        if rule.kind is RuleKind.REFERENCE and treatment is Treatment.PSEUDONYM:
            raise RuleInvalid(f"rule {rule.name}: {name} has pseudonyms, which another table's values are not")
    if rule.kind is RuleKind.REFERENCE:
        if rule.table == table:
            raise RuleInvalid(f"rule {rule.name}: a table cannot refer to itself")
        if len(rule.references) != len(rule.columns):
            raise RuleInvalid(f"rule {rule.name} refers with {len(rule.columns)} columns to {len(rule.references)}")


def _listed(columns: Iterable[str]) -> str:
    return f"it has {', '.join(columns)}"


def needs_append(contract: Contract) -> str | None:
    """The name of a rule that a table which is replaced cannot keep, since its rows are not there any more; or None."""
    return next((rule.name for rule in contract.rules if rule.needs_order), None)


def follows_from_file(contract: Contract) -> bool:
    """Whether rows follow from a file alone, not from other rows of the home."""
    return not any(rule.needs_order for rule in contract.rules)
