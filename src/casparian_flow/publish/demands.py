"""What a parser demands of the values of its outputs, and what happens where a file differs: rules and drift modes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from casparian_flow.core.contract_checks import check_contract
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode, Overrides
from casparian_flow.core.errors import UsageError
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.publish.literals import arguments, called, literal, shown
from casparian_flow.publish.syntax import Source
from casparian_flow.sdk.columns import Rule as DeclaredRule

_RULE_FIELDS = [item.name for item in fields(DeclaredRule)]
_Word = TypeVar("_Word", bound=StrEnum)


def demands_of(
    source: Source,
    rules: ast.expr | None,
    drift: ast.expr | None,
    outputs: Mapping[str, tuple[ContractColumn, ...]],
) -> dict[str, Any]:
    """The manifest's `rules` and `drift`, each by output; raises ParserInvalid for what no contract can keep."""
    named = {} if rules is None else _by_output(source, rules, outputs, "rules")
    found_rules = {output: _rules(source, node) for output, node in named.items()}
    modes = {} if drift is None else _by_output(source, drift, outputs, "drift")
    found_drift = {output: _modes(source, node) for output, node in modes.items()}
    for output in {**named, **modes}:
        contract = Contract(
            table=output,
            version=1,
            columns=outputs[output],
            rules=found_rules.get(output, ()),
            drift=found_drift.get(output, ()),
        )
        try:
            check_contract(contract)
            _check_values(contract)
        except UsageError as exc:
            node = named[output] if output in named else modes[output]
            raise source.invalid(f"output {output!r}: {exc.message}", node, fix=exc.fix) from exc
    return {"rules": MappingProxyType(found_rules), "drift": MappingProxyType(found_drift)}


def _check_values(contract: Contract) -> None:
    """Raises RuleInvalid for bounds and patterns that are none."""
    from casparian_flow.schema.rules import compile_rules  # noqa: PLC0415 - brings Arrow in, and few manifests have rules

    compile_rules(contract)


def _by_output(
    source: Source, node: ast.expr, outputs: Mapping[str, tuple[ContractColumn, ...]], key: str
) -> dict[str, ast.expr]:
    if not isinstance(node, ast.Dict):
        raise source.invalid(f"`{key}` must be a dict by output", node)
    found: dict[str, ast.expr] = {}
    for name, value in zip(node.keys, node.values, strict=True):
        output = None if name is None else literal(source, name)
        if not isinstance(output, str) or output not in outputs:
            raise source.invalid(f"`{key}` names an output whose columns are not declared", name or node)
        found[output] = value
    return found


def _rules(source: Source, node: ast.expr) -> tuple[Rule, ...]:
    if not isinstance(node, (ast.List, ast.Tuple)):
        raise source.invalid("the rules of an output must be a list of Rule(...)", node)
    return tuple(_rule(source, each) for each in node.elts)


def _rule(source: Source, node: ast.expr) -> Rule:
    if not (isinstance(node, ast.Call) and called(node) == "Rule"):
        raise source.invalid(f"expected Rule(...), not {shown(node)}", node)
    given = arguments(source, node, _RULE_FIELDS)
    values = {key: literal(source, value) for key, value in given.items()}
    if missing := [key for key in ("name", "kind", "columns") if key not in values]:
        raise source.invalid(f"a Rule needs `{missing[0]}`", node)
    try:
        return Rule(
            name=_text(values["name"]),
            kind=_word(RuleKind, values["kind"]),
            columns=_texts(values["columns"]),
            low=_optional(values.get("low")),
            high=_optional(values.get("high")),
            values=_texts(values.get("values", ())),
            pattern=_optional(values.get("pattern")),
            scope=None if values.get("scope") is None else _word(UniqueScope, values["scope"]),
            table=_optional(values.get("table")),
            references=_texts(values.get("references", ())),
        )
    except ValueError as exc:
        raise source.invalid(f"rule {values['name']!r}: {exc}", node) from exc


def _modes(source: Source, node: ast.expr) -> Overrides:
    found = literal(source, node)
    if not isinstance(found, dict):
        raise source.invalid("the drift modes of an output must be a dict of axes and modes", node)
    try:
        return tuple((_word(Axis, axis), _word(Mode, mode)) for axis, mode in found.items())
    except ValueError as exc:
        raise source.invalid(str(exc), node) from exc


def _word(kind: type[_Word], value: object) -> _Word:
    try:
        return kind(str(value))
    except ValueError as exc:
        raise ValueError(f"{value!r} is none of {', '.join(kind)}") from exc


def _text(value: object) -> str:
    """A text, or a number as it is written."""
    if isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return str(value)
    raise ValueError(f"{value!r} is neither text nor a number")


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    """One text, or several."""
    if isinstance(value, (list, tuple, set)):
        return tuple(_text(each) for each in value)
    return (_text(value),)
