"""From what was ruled out to one type per column, with the reason in words and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from casparian_flow.core.hashing import PREFIX, SHORT_HASH
from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.candidates import KEYS, TAGGED_TEMPORAL, TEMPORAL
from casparian_flow.schema.eliminate import EXAMPLES, Elimination, Example
from casparian_flow.schema.notes import BUT_FOR, NO_VALUES, SUCH_AS, WOULD_CHANGE

MAX_DECIMAL = 38
_INT64_DIGITS = 19


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """What a column is. `ruled_out` holds, for each other candidate, the first values that speak against it.

    `could_be` are the candidates that no value speaks against, words for null aside; `nulls` counts those words.
    """

    name: str
    type: str
    format: str | None = None
    note: str = ""
    original: str | None = None
    ruled_out: tuple[tuple[str, tuple[Example, ...]], ...] = ()
    could_be: tuple[str, ...] = ()
    nulls: tuple[tuple[str, int], ...] = ()

    @property
    def reasons(self) -> list[str]:
        """The first value that speaks against each other type, in words."""
        return [f"{kind}: row {found[0].row} is {found[0].value!r}" for kind, found in self.ruled_out if found]


@dataclass(frozen=True, slots=True)
class _Opinion:
    type: str
    format: str | None = None
    note: str = ""


def decide(
    name: str,
    plain: Elimination,
    tagged: Elimination,
    fixed: Mapping[str, int],
    native: Mapping[str, int],
    rounded: int,
    original: str | None,
) -> ColumnVerdict:
    """The verdict on a column: what the parser fixed, else what all its values can be read as.

    A column without a single value is a string.
    """
    opinions = [_Opinion(type_name) for type_name in (fixed or native)]
    if not fixed:
        opinions += [_on_tagged(tagged)] if tagged.cells else []
    if plain.cells and not fixed:
        opinions.append(_on_text(plain))
    found = _unify(opinions, rounded) if opinions else _Opinion("string", note=NO_VALUES)
    return ColumnVerdict(
        name,
        found.type,
        found.format,
        found.note,
        original,
        _ruled_out(plain) + _ruled_out(tagged),
        tuple(key for state in (plain, tagged) if state.cells for key in KEYS[state.tagged] if state.is_open(key)),
        tuple((word, known.count) for word, known in sorted(plain.words.items())),
    )


def _ruled_out(state: Elimination) -> tuple[tuple[str, tuple[Example, ...]], ...]:
    """Per candidate the counter-examples; words for null speak against every type."""
    words = sorted(word.first for word in state.words.values())
    if not state.cells:
        return ()
    against = {key: sorted([*state.ruled.get(key, ()), *words])[:3] for key in KEYS[state.tagged]}
    return tuple((key, tuple(found)) for key, found in against.items() if found)


def _on_text(state: Elimination) -> _Opinion:
    if sum(word.count for word in state.words.values()) == state.cells:
        listed = ", ".join(repr(word) for word in sorted(state.words))
        return _Opinion("string", note=f"holds nothing but {listed}")
    found = _first_open(state)
    if state.words and found.type != "string":
        listed = ", ".join(f"{word!r} ({known.count})" for word, known in sorted(state.words.items()))
        return _Opinion("string", note=f"would be {_described(found)} if {listed} were null")
    return found


def _but_for(state: Elimination) -> str:
    """The type that most values have and so few speak against that all of those are known: they may be damaged."""
    few = [
        (len(found), at, key, found[0])
        for at, key in enumerate(KEYS[state.tagged])
        if (found := state.ruled.get(key)) and len(found) < EXAMPLES and 2 * len(found) < state.cells
    ]
    if not few or state.words:
        return ""
    count, _, key, first = min(few)
    values = f"{first.value!r}" if count == 1 else f"{count} values, first {first.value!r}"
    source = f" of {_short(first.source)}" if first.source else ""
    return f"would be {key}{BUT_FOR}{values} in row {first.row}{source}"


def _short(source: str) -> str:
    return source[: len(PREFIX) + SHORT_HASH] if source.startswith(PREFIX) else source


def _described(found: _Opinion) -> str:
    return f"{found.type} {found.format}" if found.format else found.type


def _first_open(state: Elimination) -> _Opinion:
    if state.is_open("boolean"):
        return _Opinion("boolean")
    if number := _number(state):
        return number
    temporal = [one for one in TEMPORAL if state.is_open(one.key)]
    if not temporal:
        return _Opinion("string", note=_but_for(state))
    if len(temporal) > 1:
        readings = " or ".join(f"{one.type} {one.format}" for one in temporal)
        return _Opinion("string", note=f"ambiguous: every value reads as {readings}")
    return _temporal(state, temporal[0].type, temporal[0].format)


def _temporal(state: Elimination, type_name: str, pattern: str | None) -> _Opinion:
    if type_name != "timestamp_tz":
        return _Opinion(type_name, pattern)
    if len(state.zones) == 1:
        return _Opinion(f"timestamp_tz({state.zones[0]})")
    return _Opinion("timestamp_tz(UTC)", note="values carry different UTC offsets")


def _number(state: Elimination) -> _Opinion | None:
    if state.is_open("int64"):
        return _Opinion("int64")
    if not (state.is_open("float64") or state.is_open("decimal")):
        return None
    if not state.is_open("whole"):
        example = state.ruled["whole"][0].value
        return _Opinion("string", note=f"holds whole numbers beyond int64{SUCH_AS}{example}")
    if state.is_open("float64"):
        return _Opinion("float64")
    precision = max(state.whole + state.scale, 1)
    if precision > MAX_DECIMAL:
        return _Opinion("string", note=f"numbers need {precision} digits, a decimal has {MAX_DECIMAL}")
    return _Opinion(f"decimal({precision},{state.scale})", note=f"{WOULD_CHANGE}{state.ruled['float64'][0].value}")


def _on_tagged(state: Elimination) -> _Opinion:
    if state.is_open("boolean"):
        return _Opinion("boolean")
    if number := _number(state):
        return replace(number, type="json") if number.type == "string" else number
    for candidate in TAGGED_TEMPORAL:
        if state.is_open(candidate.key):
            return _temporal(state, candidate.type, None)
    return _Opinion("string" if state.is_open("string") else "json")


def _unify(opinions: list[_Opinion], rounded: int) -> _Opinion:
    """One type for rows that came in several: a wider number where nothing is lost, else string."""
    types = sorted({one.type for one in opinions})
    formats = {one.format for one in opinions}
    note = "; ".join(sorted({one.note for one in opinions if one.note}))
    if len(types) == 1 and len(formats) == 1:
        return _Opinion(types[0], opinions[0].format, note)
    came = "came as " + " and ".join(sorted({_described(one) for one in opinions}))
    note = f"{came}; {note}" if note else came
    kinds = [parse_type(known) for known in types]
    if {kind.name for kind in kinds} == {"int64", "float64"} and not rounded:
        return _Opinion("float64", note=note)
    if {kind.name for kind in kinds} <= {"int64", "decimal"}:
        whole, scale = max(map(whole_digits, kinds)), max(map(scale_digits, kinds))
        if whole + scale <= MAX_DECIMAL:
            return _Opinion(f"decimal({whole + scale},{scale})", note=note)
    if {kind.name for kind in kinds} == {"timestamp_tz"}:
        return _Opinion("timestamp_tz(UTC)", note=note)
    return _Opinion("string", note=note)


def whole_digits(kind: ColumnType) -> int:
    """How many digits before the point an int64 or a decimal may have."""
    return int(kind.args[0]) - int(kind.args[1]) if kind.args else _INT64_DIGITS


def scale_digits(kind: ColumnType) -> int:
    """How many digits behind the point an int64 or a decimal may have."""
    return int(kind.args[1]) if kind.args else 0
