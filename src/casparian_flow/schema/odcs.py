"""A contract in the words of the Open Data Contract Standard, version 3.

What the standard has a word for is said in that word, so that other tools understand it. What it has none for goes into
custom properties and custom checks under our own names: nothing that the contract enforces is lost on the way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from casparian_flow.core.contracts import Contract, ContractColumn, ContractState
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.notes import names_a_value

API_VERSION = "v3.1.0"
"""Of the standard: the first that has times and relationships; later ones read it too."""
ENGINE = "casparian"
"""Under which name checks are written that only this product makes."""
COLUMN_KEYS = {
    "casparianFormat": "format",
    "casparianOriginal": "original",
    "casparianNote": "note",
    "casparianTreatment": "treatment",
    "casparianTreatmentArgument": "treatment_argument",
    "casparianAliases": "aliases",
}
"""Custom properties of a column, and the field that each is."""
HEADERLESS, DRIFT, TOLERANCE = "casparianHeaderless", "casparianDrift", "casparianTolerance"
TAKES_UNDECLARED = "casparianTakesUndeclared"
EARLIER = "casparianEarlierColumns"
"""Custom properties of a table."""
LOGICAL = {
    "boolean": "boolean",
    "int64": "integer",
    "float64": "number",
    "decimal": "number",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamp_tz": "timestamp",
    "duration": "string",
    "string": "string",
    "binary": "string",
    "json": "object",
    "struct": "object",
    "list": "array",
}
"""The standard's type for each of ours; `physicalType` says ours exactly."""
_USUAL = ContractColumn("plain", "string")
EXACT_INTEGERS = 2**53
"""Up to here every JSON reader has the same whole number."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Something of a contract that the other side does not have: where it stands, and what became of it."""

    where: str
    what: str


def to_odcs(contract: Contract, identity: str, state: ContractState) -> tuple[dict[str, Any], list[Unmapped]]:
    """The document as plain values, and what another reader of the standard will not find in it.

    `identity` tells this contract from all others for ever, whatever its version.
    """
    unmapped: list[Unmapped] = [*_unseen(contract)]
    table: dict[str, Any] = {
        "name": contract.table,
        "physicalName": contract.table,
        "physicalType": "table",
        "logicalType": "object",
        "properties": [_property(contract, column) for column in contract.columns],
    }
    if contract.rules:
        table["quality"] = [_check(rule) for rule in contract.rules]
    own: dict[str, Any] = {}
    if contract.headerless:
        own[HEADERLESS] = True
    if contract.drift:
        own[DRIFT] = {axis.value: mode.value for axis, mode in contract.drift}
    if contract.takes_undeclared:
        own[TAKES_UNDECLARED] = list(contract.takes_undeclared)
    if contract.earlier:
        own[EARLIER] = [list(names) for names in contract.earlier]
    if contract.tolerance:
        own[TOLERANCE] = [_plain(each) for each in contract.tolerance]
    if own:
        table["customProperties"] = _custom(own)
    document = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": identity,
        "name": contract.table,
        "version": str(contract.version),
        "status": "active" if state is ContractState.APPLIED else str(state),
        "schema": [table],
    }
    return document, unmapped


def _property(contract: Contract, column: ContractColumn) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, **_typed(parse_type(column.type)), "physicalType": column.type}
    if not column.nullable:
        found["required"] = True
    if column.description:
        found["description"] = column.description
    found["classification"] = column.sensitivity
    if options := _options(contract.rules, column):
        found["logicalTypeOptions"] = options
    if any(_is_key_of(rule, column.name) for rule in contract.rules):
        found["unique"] = True
    own = {key: _plain(getattr(column, field)) for key, field in _own_fields(column)}
    if own:
        found["customProperties"] = _custom(own)
    return found


def _own_fields(column: ContractColumn) -> Iterator[tuple[str, str]]:
    """The custom properties that a column needs; a note that repeats a value of the data stays here."""
    for key, name in COLUMN_KEYS.items():
        is_told = name == "note" and names_a_value(column.note)
        if getattr(column, name) != getattr(_USUAL, name) and not is_told:
            yield key, name


def _typed(kind: ColumnType) -> dict[str, Any]:
    found: dict[str, Any] = {"logicalType": LOGICAL[kind.name]}
    if kind.name == "list":
        found["items"] = _typed(kind.fields[0][1]) | {"physicalType": str(kind.fields[0][1])}
    if kind.name == "struct":
        found["properties"] = [{"name": name, **_typed(part), "physicalType": str(part)} for name, part in kind.fields]
    return found


def _options(rules: Iterable[Rule], column: ContractColumn) -> dict[str, Any]:
    """What the standard can say of the rules about one column; the first of a kind, since it can say one."""
    found: dict[str, Any] = {}
    for rule in rules:
        if rule.columns != (column.name,):
            continue
        for key, value in _said(rule, column.type).items():
            found.setdefault(key, value)
    return found


def _said(rule: Rule, kind: str) -> Mapping[str, Any]:
    if rule.kind is RuleKind.PATTERN and rule.pattern is not None:
        return {"pattern": f"^(?:{rule.pattern})$"}
    if rule.kind is RuleKind.LENGTH and kind == "string":
        return _bounds(rule, "minLength", "maxLength")
    if rule.kind is RuleKind.RANGE and kind == "int64":
        return _bounds(rule, "minimum", "maximum")
    return {}


def _bounds(rule: Rule, low: str, high: str) -> dict[str, int]:
    said = {low: rule.low, high: rule.high}
    numbers = {key: int(text) for key, text in said.items() if text is not None and _is_whole(text)}
    return {key: number for key, number in numbers.items() if abs(number) < EXACT_INTEGERS}


def _is_whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19


def _is_key_of(rule: Rule, column: str) -> bool:
    return rule.kind is RuleKind.UNIQUE and rule.scope is UniqueScope.TABLE and rule.columns == (column,)


def _check(rule: Rule) -> dict[str, Any]:
    """The whole rule: nothing has to be guessed from it on the way back."""
    said = _plain(rule)
    exact = {key: value for key, value in said.items() if value not in (None, [], ()) and key != "name"}
    return {"name": rule.name, "type": "custom", "engine": ENGINE, "implementation": exact}


def _plain(value: object) -> Any:
    """The value as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _custom(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"property": key, "value": value} for key, value in values.items()]


def _unseen(contract: Contract) -> Iterable[Unmapped]:
    """What is left out, and what only we read back."""
    table = contract.table
    yield Unmapped(f"{table}.origin", f"left out: how it came to be here ({contract.origin})")
    if contract.headerless:
        yield Unmapped(f"{table}.headerless", "kept as a custom property")
    for axis, mode in contract.drift:
        yield Unmapped(f"{table}.drift.{axis}", f"kept as a custom property: {mode}")
    if contract.takes_undeclared:
        yield Unmapped(f"{table}.takes_undeclared", "kept as a custom property")
    if contract.earlier:
        yield Unmapped(f"{table}.earlier", "kept as a custom property")
    if contract.tolerance:
        yield Unmapped(f"{table}.tolerance", "kept as a custom property")
    for column in contract.columns:
        where = f"{table}.{column.name}"
        if names_a_value(column.note):
            yield Unmapped(f"{where}.note", "left out: it repeats a value of the data")
        for key, field in _own_fields(column):
            yield Unmapped(f"{where}.{field}", f"kept as the custom property {key}")
        if parse_type(column.type).name in ("duration", "binary", "json"):
            yield Unmapped(f"{where}.type", f"{column.type} is told by physicalType alone")
    for rule in contract.rules:
        yield Unmapped(f"{table}.rules.{rule.name}", f"kept as a custom check of the engine {ENGINE}")
