"""Value rules over whole columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import RuleInvalid
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.core.types import parse_type
from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.cells import Cells, Mask, as_mask
from casparian_flow.schema.readers import read_text

_SHOWN_VALUES = 5
_SHOWN = 100
_UNITS = {"string": "characters", "binary": "bytes", "list": "items"}

_Fits = Callable[[pa.Array], pa.Array]
"""Which values fit; null where a value is null."""


class RuleFault(NamedTuple):
    """Rows whose value breaks a rule, and what the rule expects, in words."""

    rule: Rule
    expected: str
    failed: Mask


@dataclass(frozen=True, slots=True)
class _Check:
    rule: Rule
    expected: str
    fits: _Fits


class CompiledRules:
    """The rules of one contract that are about a value by itself, in its order.

    A null is never asked: a rule answers pass, fail or not applicable, and only a failure is told.
    """

    def __init__(self, checks: Sequence[_Check]) -> None:
        self._checks = tuple(checks)

    def __bool__(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._checks)

    def faults(self, columns: Mapping[str, pa.Array]) -> Iterator[RuleFault]:
        """What breaks which rule, rule by rule; `columns` are in the types of the contract.

        A column that is replaced in `columns` meanwhile is asked as it is then. A rule whose column is not there is
        not applicable.
        """
        for check in self._checks:
            values = columns.get(check.rule.columns[0])
            if values is None or values.null_count == len(values):
                continue
            failed = ~as_mask(pc.fill_null(check.fits(values), True))
            if failed.any():
                yield RuleFault(check.rule, check.expected, failed)


def compile_rules(contract: Contract) -> CompiledRules:
    """The value rules of a contract, ready to be asked.

    Raises RuleInvalid for a bound or a value that is none of its column's type, for a range in which nothing lies and
    for a pattern that RE2 does not take.
    """
    by_name = {column.name: column for column in contract.columns}
    return CompiledRules(
        [
            _Check(rule, f"{expected} ({rule.name})", fits)
            for rule in contract.rules
            if not rule.is_about_rows
            for expected, fits in [_compiled(rule, by_name[rule.columns[0]])]
        ]
    )


def _compiled(rule: Rule, column: ContractColumn) -> tuple[str, _Fits]:
    match rule.kind:
        case RuleKind.RANGE:
            return _between(rule.low, rule.high), _range(rule, column)
        case RuleKind.SET:
            shown = ", ".join(rule.values[:_SHOWN_VALUES])[:_SHOWN]
            more = f" and {len(rule.values) - _SHOWN_VALUES} more" if len(rule.values) > _SHOWN_VALUES else ""
            return f"one of {shown}{more}", _set(rule, column)
        case RuleKind.PATTERN:
            return f"a text like {(rule.pattern or '')[:_SHOWN]}", _pattern(rule)
        case _:
            kind = parse_type(column.type).name
            return f"{_between(rule.low, rule.high)} {_UNITS[kind]}", _length(rule, kind)


def _between(low: str | None, high: str | None) -> str:
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}"


def _range(rule: Rule, column: ContractColumn) -> _Fits:
    low, high = (None if bound is None else _values(rule, [bound], column)[0] for bound in (rule.low, rule.high))
    if any(bound is not None and pt.is_floating(bound.type) and np.isnan(bound.as_py()) for bound in (low, high)):
        raise RuleInvalid(f"rule {rule.name}: nothing lies above or below a number that is none")
    if low is not None and high is not None and pc.greater(low, high).as_py():
        raise RuleInvalid(f"rule {rule.name}: nothing lies from {rule.low} to {rule.high}")
    return lambda values: _within(values, low, high)


def _within(values: pa.Array, low: pa.Scalar | None, high: pa.Scalar | None) -> pa.Array:
    """A number that is none lies nowhere: it is neither above nor below."""
    if low is None:
        return pc.less_equal(values, high)
    if high is None:
        return pc.greater_equal(values, low)
    return pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))


def _set(rule: Rule, column: ContractColumn) -> _Fits:
    among = _values(rule, rule.values, column)
    return lambda values: pc.or_(pc.is_in(values, value_set=among), pc.is_null(values))


def _pattern(rule: Rule) -> _Fits:
    """The pattern by itself must be one: else a bracket of its own could close the one that is put around it."""
    pattern = rule.pattern or ""
    whole = rf"\A(?:{pattern})\z"
    try:
        for each in (pattern, whole):
            pc.match_substring_regex(pa.array([""]), each)
    except pa.ArrowInvalid as exc:
        raise RuleInvalid(f"rule {rule.name}: {pattern[:_SHOWN]!r} is no RE2 pattern", why=str(exc)[:500]) from exc
    return lambda values: pc.match_substring_regex(values, whole)


def _length(rule: Rule, kind: str) -> _Fits:
    measure = {"string": pc.utf8_length, "binary": pc.binary_length, "list": pc.list_value_length}[kind]
    low, high = (None if bound is None else pa.scalar(int(bound), pa.int64()) for bound in (rule.low, rule.high))
    return lambda values: _within(measure(values).cast(pa.int64()), low, high)


def _values(rule: Rule, texts: Sequence[str], column: ContractColumn) -> pa.Array:
    """Texts of a rule as values of its column: as ISO forms, or as the column's own format has them."""
    kind = parse_type(column.type)
    if kind.name == "duration":
        return _durations(rule, texts)
    cells = Cells(pa.array(texts, pa.string()))
    found = read_text(cells, kind)
    if found.failed is not None and column.format is not None:
        found = read_text(cells, kind, column.format)
    if found.failed is not None:
        wrong = texts[int(np.argmax(found.failed))]
        raise RuleInvalid(f"rule {rule.name}: {wrong[:_SHOWN]!r} is no {column.type}, as {column.name} has them")
    return found.values


def _durations(rule: Rule, texts: Sequence[str]) -> pa.Array:
    """Durations as they are shown: nanoseconds."""
    try:
        return pa.array([int(text) for text in texts], pa.int64()).cast(arrow_type("duration"))
    except (ValueError, OverflowError) as exc:
        raise RuleInvalid(f"rule {rule.name}: durations are whole nanoseconds", why=str(exc)[:200]) from exc
