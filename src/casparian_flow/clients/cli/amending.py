"""The options that say how a contract shall change, as operations on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from casparian_flow.core.amendments import (
    Add,
    Drop,
    Narrow,
    Op,
    Reclassify,
    Relax,
    Rename,
    SetDrift,
    SetTolerance,
    Tighten,
    Widen,
)
from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.errors import UsageError
from casparian_flow.core.rule_text import parse_rule
from casparian_flow.core.tolerances import Outcome, Per, Tolerance
from casparian_flow.core.treatments import Sensitivity, Treatment

Word = TypeVar("Word", bound=str)
DEFAULT = "default"
"""What stands for the setting instead of a table's own word."""
_NUMBERS: dict[str, Callable[[str], Any]] = {"rows": int, "ratio": float, "sample": int}


def amendment_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Every way to change a contract; each may be repeated, and names columns as they are now."""
    for name, metavar, says in reversed(_OPTIONS):
        function = click.option(f"--{name}", multiple=True, metavar=metavar, help=says)(function)
    return function


def operations_of(asked: Mapping[str, Sequence[str]]) -> tuple[Op, ...]:
    """The operations that the options stand for, in the one order in which they can be done.

    Raises UsageError for one that has not the form of its option.
    """
    found: list[Op] = [
        _READERS[name](text) for name, _, _ in _OPTIONS if name != "tolerance" for text in asked.get(name, ())
    ]
    if tolerances := asked.get("tolerance"):
        own = tuple(_tolerance(text) for text in tolerances if text != DEFAULT)
        found.append(SetTolerance(tolerances=own))
    return tuple(found)


def _add(text: str) -> Op:
    name, typed = _pair(text, ":", "COLUMN:TYPE")
    typed, _, nullability = typed.partition(" notnull") if typed.endswith(" notnull") else (typed, "", "null")
    kind, pattern = _typed(typed)
    return Add(column=ContractColumn(name, kind, nullable=nullability == "null", format=pattern))


def _widen(text: str) -> Op:
    name, typed = _pair(text, ":", "COLUMN:TYPE")
    kind, pattern = _typed(typed)
    return Widen(column=name, type=kind, format=pattern)


def _narrow(text: str) -> Op:
    name, typed = _pair(text, ":", "COLUMN:TYPE")
    kind, pattern = _typed(typed)
    return Narrow(column=name, type=kind, format=pattern)


def _typed(text: str) -> tuple[str, str | None]:
    """A type, and behind it its format, which begins with a percent sign as no type does."""
    kind, between, pattern = text.strip().partition(" %")
    return kind, f"%{pattern}" if between else None


def _rename(text: str) -> Op:
    name, to = _pair(text, "=", "COLUMN=NAME")
    return Rename(column=name, to=to)


def _relax(text: str) -> Op:
    if text.endswith(":null"):
        return Relax(column=text.removesuffix(":null"))
    if ":" not in text:
        return Relax(rule=text)
    rule = parse_rule(text)
    return Relax(rule=rule.name, to=rule)


def _tighten(text: str) -> Op:
    name, _ = _pair(text, ":notnull", "COLUMN:notnull", may_be_empty=True)
    return Tighten(column=name)


def _rule(text: str) -> Op:
    return Tighten(rule=parse_rule(text))


def _drop(text: str) -> Op:
    return Drop(column=text)


def _reclassify(text: str) -> Op:
    name, asked = _pair(text, "=", "COLUMN=CLASS[:TREATMENT[:TEXT]]")
    sensitivity, _, rest = asked.partition(":")
    treatment, colon, argument = rest.partition(":")
    return Reclassify(
        column=name,
        sensitivity=_word(Sensitivity, sensitivity),
        treatment=_word(Treatment, treatment) if treatment else None,
        argument=argument if colon else None,
    )


def _drift(text: str) -> Op:
    axis, mode = _pair(text, "=", "AXIS=MODE")
    return SetDrift(axis=_word(Axis, axis), mode=None if mode == DEFAULT else _word(Mode, mode))


def _tolerance(text: str) -> Tolerance:
    given: dict[str, Any] = {}
    for part in text.split(","):
        name, value = _pair(part.strip(), "=", "rows=N,ratio=R,sample=N,per=PER,then=OUTCOME")
        try:
            if name in _NUMBERS:
                given["min_sample" if name == "sample" else name] = _NUMBERS[name](value)
            elif name == "per":
                given["per"] = _word(Per, value)
            elif name == "then":
                given["outcome"] = _word(Outcome, value)
            else:
                raise UsageError(f"a tolerance has no {name!r}", fix="one of: rows ratio sample per then")
        except ValueError as exc:
            raise UsageError(f"{value!r} is no number for {name}") from exc
    return Tolerance(**given)


def _pair(text: str, between: str, form: str, *, may_be_empty: bool = False) -> tuple[str, str]:
    first, found, second = text.partition(between)
    if not found or not first or not (second or may_be_empty):
        raise UsageError(f"{text!r} does not have the form {form}")
    return first, second


def _word(words: Callable[[str], Word], text: str) -> Word:
    try:
        return words(text)
    except ValueError as exc:
        known = " ".join(str(each) for each in words)  # type: ignore[attr-defined]
        raise UsageError(f"there is no {text!r} here", fix=f"one of: {known}") from exc


_OPTIONS = (
    ("relax", "COLUMN:null|RULE", "Let it be null, or let go of a rule; 'RULE: range ...' says a wider one."),
    ("drop", "COLUMN", "A column less."),
    ("add", "COLUMN:TYPE", "A column more; 'COLUMN:TYPE notnull' where none may lack it."),
    ("widen", "COLUMN:TYPE", "A type that holds every value of the present one."),
    ("narrow", "COLUMN:TYPE", "Another type."),
    ("reclassify", "COLUMN=CLASS", "Another class: public, internal, personal, secret; then :TREATMENT[:TEXT]."),
    ("tighten", "COLUMN:notnull", "Never null any more."),
    ("rule", "'NAME: KIND ...'", "A rule, such as 'port: range dst_port 1..65535'."),
    ("rename", "COLUMN=NAME", "Another name; files with the old one still fit."),
    ("drift", "AXIS=MODE", "What happens where files differ; MODE `default` is that of the settings."),
    (
        "tolerance",
        "rows=N,...",
        "How many rows may be rejected: rows=N, or ratio=R of them, which counts from sample=N rows on (100 unless "
        "given: a smaller file lands); per=file, output or run; then=hold, fail or continue. `default` is that of the "
        "settings.",
    ),
)
"""The options, in the order in which their operations are done: what needs another one comes behind it."""
_READERS: dict[str, Callable[[str], Op]] = {
    "relax": _relax,
    "drop": _drop,
    "add": _add,
    "widen": _widen,
    "narrow": _narrow,
    "reclassify": _reclassify,
    "tighten": _tighten,
    "rule": _rule,
    "rename": _rename,
    "drift": _drift,
}
