"""The types that a text column may turn out to be, and which of them a single cell could be at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from casparian_flow.schema.layouts import DATES, ISO_DATE, ISO_TIMES, layouts

NUMERIC = ("int64", "float64", "decimal")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to read a column. `key` names it in states and reasons."""

    type: str
    format: str | None = None

    @property
    def key(self) -> str:
        """The type, with its format where it has one."""
        return f"{self.type} {self.format}" if self.format else self.type


ISO = tuple(Candidate(name) for name in ("date", "time", "timestamp", "timestamp_tz"))
_OTHER_DATES = tuple(form for form in DATES if form != ISO_DATE)
_FORMATTED = tuple(Candidate("date", form) for form in _OTHER_DATES) + tuple(
    Candidate("timestamp", f"{form} {time}") for form in _OTHER_DATES for time in ISO_TIMES
)
TEMPORAL = (*ISO, *_FORMATTED)
TAGGED_TEMPORAL = ISO
KEYS = {
    False: (*NUMERIC, "boolean", *(candidate.key for candidate in TEMPORAL)),
    True: (*NUMERIC, "boolean", *(candidate.key for candidate in TAGGED_TEMPORAL), "string"),
}
"""What a plain and a tagged column may be besides `string` and `json`, which nothing rules out."""

_DIGITS = str.maketrans("123456789", "0" * 9)
_WORDS = frozenset({"true", "false"})
_NOTHING: frozenset[str] = frozenset()


def _shapes() -> dict[str, frozenset[str]]:
    """For each text that a layout begins with, digits as zeros, the candidates that have such a layout."""
    found: dict[str, set[str]] = {}
    for candidate in TEMPORAL:
        for form in layouts(candidate.type, candidate.format):
            text = ["0"] * form.length
            for at, byte in form.literals:
                text[at] = chr(byte)
            found.setdefault("".join(text), set()).add(candidate.key)
    return {shape: frozenset(keys) for shape, keys in found.items()}


_SHAPES = _shapes()
_LENGTHS = sorted({len(shape) for shape in _SHAPES})


def glance(cell: str, *, tagged: bool) -> frozenset[str]:
    """The candidates that a cell may fit, never too few; those left out it surely rules out."""
    if tagged:
        if cell.startswith('"'):
            return _glance_temporal(cell[1:]) | {"string"}
        return _glance_plain(cell)
    return _glance_plain(cell) | _glance_temporal(cell)


def _glance_plain(cell: str) -> frozenset[str]:
    if cell[:1] in "-.0123456789":
        return frozenset(NUMERIC)
    return frozenset({"boolean"}) if cell.lower() in _WORDS else _NOTHING


def _glance_temporal(cell: str) -> frozenset[str]:
    shape = cell[: _LENGTHS[-1]].translate(_DIGITS)
    found = [_SHAPES.get(shape[:length], _NOTHING) for length in _LENGTHS if length <= len(shape)]
    return frozenset().union(*found)
