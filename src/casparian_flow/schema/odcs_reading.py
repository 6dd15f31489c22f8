"""Contracts out of a document of the Open Data Contract Standard, and what of it no contract of ours can say.

The document is anybody's: everything in it may be missing, of another type, or larger than can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from casparian_flow.core.contract_checks import check_contract
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.errors import UsageError
from casparian_flow.core.lineage import RESERVED_PREFIX
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.core.tolerances import Tolerance
from casparian_flow.core.treatments import Sensitivity, Treatment
from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.odcs import (
    COLUMN_KEYS,
    DRIFT,
    EARLIER,
    ENGINE,
    HEADERLESS,
    LOGICAL,
    TAKES_UNDECLARED,
    TOLERANCE,
    Unmapped,
)
from casparian_flow.schema.rules import compile_rules

MOST_TABLES, MOST_COLUMNS = 100, 10_000
LONGEST_TEXT = 100_000
_KNOWN = frozenset({"apiVersion", "kind", "id", "name", "version", "status", "schema"})
_OF_TABLE = frozenset({"name", "physicalName", "physicalType", "logicalType", "properties", "quality"})
_OF_COLUMN = frozenset(
    {"name", "logicalType", "logicalTypeOptions", "physicalType", "required", "description", "classification"}
    | {"unique", "items", "properties", "enum", "customProperties"}
)
_LOGICAL = {
    "string": "string",
    "integer": "int64",
    "number": "float64",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "object": "json",
    "map": "json",
    "array": "json",
    "vector": "list<float64>",
}
_CLASSES = {"confidential": "personal", "restricted": "secret", "sensitive": "personal", "pii": "personal"}
"""Words that others use for our classes."""
_OPTIONS = {"minimum": "low", "maximum": "high", "minLength": "low", "maxLength": "high"}


@dataclass(slots=True)
class _Reader:
    """One document while it is read; what is found and has no place is noted."""

    known: Mapping[str, Contract]
    unmapped: list[Unmapped] = field(default_factory=list)

    def left(self, where: str, what: str) -> None:
        self.unmapped.append(Unmapped(where, what))


def from_odcs(document: object, known: Mapping[str, Contract] | None = None) -> tuple[list[Contract], list[Unmapped]]:
    """The contracts, one for each table of the document, at version 1, and all that was left out of them.

    `known` are those in force, by table: what the document leaves unsaid is as they say it, a class above all.
    Raises UsageError, of rules RuleInvalid, that says where the document cannot be meant.
    """
    reader = _Reader(known or {})
    top = _mapping(document, "the document")
    if top.get("kind") != "DataContract" or not str(top.get("apiVersion", "")).startswith("v3."):
        raise UsageError(
            "this is not a data contract of the Open Data Contract Standard, version 3",
            why=f"kind is {_short(top.get('kind'))}, apiVersion is {_short(top.get('apiVersion'))}",
            fix="casparian contract export TABLE OUT.yaml shows what one looks like",
        )
    for key in sorted(top.keys() - _KNOWN):
        reader.left(_short_key(key), "left out: a contract of ours does not say this")
    tables = _list(top.get("schema"), "schema", MOST_TABLES)
    if not tables:
        raise UsageError("the data contract describes no table", where="schema")
    contracts = [_contract(reader, table, f"schema[{at}]") for at, table in enumerate(tables)]
    names = [contract.table for contract in contracts]
    if len(set(names)) < len(names):
        raise UsageError(f"the table {next(name for name in names if names.count(name) > 1)} is described twice")
    return contracts, reader.unmapped


def _contract(reader: _Reader, said: object, where: str) -> Contract:
    table = _mapping(said, where)
    name = _text(table.get("name"), f"{where}.name")
    for key in sorted(table.keys() - _OF_TABLE - {"customProperties"}):
        reader.left(f"{name}.{_short_key(key)}", "left out: a contract of ours does not say this")
    found = _list(table.get("properties"), f"{name}.properties", MOST_COLUMNS)
    if not found:
        raise UsageError(f"the table {name} has no columns", where=where)
    base = reader.known.get(name)
    exact = _checks(reader, table.get("quality"), name)
    if base is not None and "quality" not in table:
        exact = list(base.rules)
    columns: list[ContractColumn] = []
    rules = list(exact)
    for at, each in enumerate(found):
        column, implied = _column(reader, each, f"{name}.properties[{at}]", name, base)
        columns.append(column)
        stated = {rule.kind for rule in exact if rule.columns == (column.name,)}
        rules += [rule for rule in implied if rule.kind not in stated]
    own = _custom(
        reader, table.get("customProperties"), name, {HEADERLESS, DRIFT, TOLERANCE, TAKES_UNDECLARED, EARLIER}
    )
    contract = Contract(
        table=name,
        version=1,
        columns=tuple(columns),
        headerless=_as(own.get(HEADERLESS, base is not None and base.headerless), bool, f"{name}.{HEADERLESS}"),
        origin=Origin.APPROVED,
        rules=tuple(rules),
        drift=(
            tuple(_as(own[DRIFT], dict[Axis, Mode], f"{name}.{DRIFT}").items())
            if DRIFT in own
            else (base.drift if base is not None else ())
        ),
        tolerance=(
            _as(own[TOLERANCE], tuple[Tolerance, ...], f"{name}.{TOLERANCE}")
            if TOLERANCE in own
            else (base.tolerance if base is not None else ())
        ),
        takes_undeclared=_as(
            own.get(TAKES_UNDECLARED, base.takes_undeclared if base is not None else ()),
            tuple[str, ...],
            f"{name}.{TAKES_UNDECLARED}",
        ),
        earlier=_as(
            own.get(EARLIER, base.earlier if base is not None else ()),
            tuple[tuple[str, ...], ...],
            f"{name}.{EARLIER}",
        ),
    )
    check_contract(contract)
    compile_rules(contract)
    return contract


def _column(
    reader: _Reader, said: object, where: str, table: str, base: Contract | None
) -> tuple[ContractColumn, list[Rule]]:
    """The column, and the rules that the standard's own words about it imply."""
    given = _mapping(said, where)
    name = _text(given.get("name"), f"{where}.name")
    if not name or name.casefold().startswith(RESERVED_PREFIX):
        raise UsageError(f"a column cannot be called {name!r}", where=where)
    place = f"{table}.{name}"
    for key in sorted(given.keys() - _OF_COLUMN):
        reader.left(f"{place}.{_short_key(key)}", "left out: a contract of ours does not say this")
    kind = _type(reader, given, place)
    there = (each for each in (base.columns if base is not None else ()) if each.name == name)
    old = next(there, ContractColumn(name, str(kind)))
    own = _custom(reader, given.get("customProperties"), place, COLUMN_KEYS.keys())
    fields = {COLUMN_KEYS[key]: value for key, value in own.items()}
    for key in ("format", "original", "note", "treatment_argument"):
        if key in fields:
            fields[key] = _text(fields[key], f"{place}.{key}")
    column = ContractColumn(
        name=name,
        type=str(kind),
        nullable=not _as(given.get("required", False), bool, f"{place}.required"),
        format=fields.get("format", old.format if old.type == str(kind) else None),
        description=_text(given.get("description", old.description), f"{place}.description"),
        sensitivity=_sensitivity(reader, given.get("classification", old.sensitivity), place),
        original=fields.get("original", old.original),
        note=fields.get("note", old.note),
        treatment=_as(fields.get("treatment", old.treatment), Treatment | None, f"{place}.treatment"),
        treatment_argument=fields.get("treatment_argument", None if "treatment" in fields else old.treatment_argument),
        aliases=_as(fields.get("aliases", old.aliases), tuple[str, ...], f"{place}.aliases"),
    )
    return column, list(_implied(reader, given, column, kind, place))


def _type(reader: _Reader, given: Mapping[str, Any], place: str) -> ColumnType:
    """Ours, if `physicalType` names one that the logical type agrees with; else what the logical type comes to."""
    physical = _text(given.get("physicalType", ""), f"{place}.physicalType").strip()
    logical = _text(given.get("logicalType", ""), f"{place}.logicalType")
    if logical and logical not in _LOGICAL:
        raise UsageError(
            f"there is no logical type {_short(logical)}", where=place, fix=f"one of: {' '.join(_LOGICAL)}"
        )
    exact = _parsed(physical) or _parsed(physical.lower())
    if exact is not None and logical in ("", LOGICAL[exact.name]):
        return exact
    if not logical:
        raise UsageError(
            f"the type of {place} is not known",
            why=f"physicalType is {_short(physical)}" if physical else "neither logicalType nor physicalType is given",
            fix=f"logicalType is one of: {' '.join(_LOGICAL)}",
        )
    digits = re.search(r"\(\s*\d{1,2}\s*,\s*\d{1,2}\s*\)", physical) if logical == "number" else None
    if digits and (decimal := _parsed(f"decimal{digits[0]}")) is not None:
        return decimal
    if logical == "timestamp" and _option(given, "timezone") is True:
        return parse_type("timestamp_tz(UTC)")
    if physical:
        reader.left(f"{place}.physicalType", f"left out: {_short(physical)} is read as {_LOGICAL[logical]}")
    return parse_type(_LOGICAL[logical])


def _parsed(text: str) -> ColumnType | None:
    try:
        return parse_type(text) if text else None
    except UsageError:
        return None


def _implied(
    reader: _Reader, given: Mapping[str, Any], column: ContractColumn, kind: ColumnType, place: str
) -> Iterator[Rule]:
    options = _mapping(given.get("logicalTypeOptions", {}), f"{place}.logicalTypeOptions")
    lengths = _bounds(options, ("minLength", "maxLength"), place)
    if lengths and kind.name == "string":
        yield Rule(
            f"{column.name} length", RuleKind.LENGTH, (column.name,), low=lengths.get("low"), high=lengths.get("high")
        )
    ranges = _bounds(options, ("minimum", "maximum"), place)
    if ranges and kind.name not in ("string", "boolean", "binary", "json", "list", "struct"):
        yield Rule(
            f"{column.name} range", RuleKind.RANGE, (column.name,), low=ranges.get("low"), high=ranges.get("high")
        )
    used = {"minLength", "maxLength", "minimum", "maximum", "timezone"}
    if "pattern" in options and kind.name == "string":
        used.add("pattern")
        pattern = _whole(_text(options["pattern"], f"{place}.pattern"))
        yield Rule(f"{column.name} pattern", RuleKind.PATTERN, (column.name,), pattern=pattern)
    for key in sorted(options.keys() - used):
        reader.left(f"{place}.logicalTypeOptions.{_short_key(key)}", "left out: no rule of ours says this")
    if _as(given.get("unique", False), bool, f"{place}.unique"):
        yield Rule(f"{column.name} unique", RuleKind.UNIQUE, (column.name,), scope=UniqueScope.TABLE)
    if allowed := _list(given.get("enum", []), f"{place}.enum", MOST_COLUMNS):
        values = tuple(_scalar(_mapping(each, place).get("value"), f"{place}.enum") for each in allowed)
        yield Rule(f"{column.name} set", RuleKind.SET, (column.name,), values=tuple(dict.fromkeys(values)))


def _bounds(options: Mapping[str, Any], keys: tuple[str, str], place: str) -> dict[str, str]:
    return {_OPTIONS[key]: _scalar(options[key], f"{place}.{key}") for key in keys if key in options}


def _whole(pattern: str) -> str:
    """A pattern for the whole text that fits where this one is found in it."""
    if pattern.startswith("^(?:") and pattern.endswith(")$"):
        return pattern[4:-2]
    if pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$"):
        return pattern
    return f"(?s:.*)(?:{pattern})(?s:.*)"


def _option(given: Mapping[str, Any], key: str) -> object:
    options = given.get("logicalTypeOptions")
    return options.get(key) if isinstance(options, dict) else None


def _sensitivity(reader: _Reader, said: object, place: str) -> str:
    word = _text(said, f"{place}.classification")
    meant = _CLASSES.get(word.lower(), word.lower())
    if meant not in frozenset(Sensitivity):
        reader.left(f"{place}.classification", f"{_short(word)} is no class of ours: taken as {Sensitivity.PERSONAL}")
        return Sensitivity.PERSONAL
    if meant != word:
        reader.left(f"{place}.classification", f"{_short(word)} is taken as {meant}")
    return meant


def _checks(reader: _Reader, said: object, table: str) -> list[Rule]:
    """The rules that were written by us; checks of other engines are none of ours."""
    rules = []
    for at, each in enumerate(_list(said if said is not None else [], f"{table}.quality", MOST_COLUMNS)):
        check = _mapping(each, f"{table}.quality[{at}]")
        if check.get("type") == "custom" and check.get("engine") == ENGINE:
            exact = _mapping(check.get("implementation"), f"{table}.quality[{at}].implementation")
            rules.append(_as({**exact, "name": check.get("name")}, Rule, f"{table}.quality[{at}]"))
            if unknown := sorted(exact.keys() - set(Rule.__dataclass_fields__)):
                raise UsageError(f"a rule has no {_short_key(unknown[0])}", where=f"{table}.quality[{at}]")
        else:
            name = _short(check.get("name") or check.get("metric") or check.get("rule") or at)
            reader.left(f"{table}.quality[{at}]", f"left out: the check {name} is not one that rows are asked by here")
    return rules


def _custom(reader: _Reader, said: object, place: str, known: Container[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for at, each in enumerate(_list(said if said is not None else [], f"{place}.customProperties", MOST_COLUMNS)):
        pair = _mapping(each, f"{place}.customProperties[{at}]")
        key = _text(pair.get("property"), f"{place}.customProperties[{at}].property")
        if key in known:
            if key in found:
                raise UsageError(f"{place} has {key} twice")
            found[key] = pair.get("value")
        else:
            reader.left(f"{place}.{_short_key(key)}", "left out: a custom property of somebody else")
    return found


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{where} is not a mapping of names to values", why=f"it is {_short(value)}")
    return value


def _list(value: object, where: str, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise UsageError(f"{where} is not a list", why=f"it is {_short(value)}")
    if len(value) > most:
        raise UsageError(f"{where} has {len(value):,} entries; {most:,} is the most")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{where} is not text", why=f"it is {_short(value)}", fix="put it between quotes")
    if len(value) > LONGEST_TEXT:
        raise UsageError(f"{where} is longer than {LONGEST_TEXT:,} characters")
    return value


def _scalar(value: object, where: str) -> str:
    """A bound or a value as the text that a rule holds."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)) or (isinstance(value, float) and value == value and abs(value) != float("inf")):
        return _text(str(value), where)
    raise UsageError(f"{where} is neither text nor a number", why=f"it is {_short(value)}")


def _as(value: object, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        raise UsageError(f"{where} is not what it can be", why=str(exc)) from exc


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _short_key(key: str) -> str:
    return key if len(key) <= 60 else f"{key[:57]}..."
